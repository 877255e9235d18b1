/**
 * What must not stand in the arguments, which every process of the machine can read: from standard input or a prompt.
 * May import: kernel.
 */
import { HostError } from '../../../kernel/errors.ts';

const MAX_BYTES = 1_048_576;

/** On a terminal typed without being shown, up to Enter; else all of standard input but a last line break. */
export async function readSecret(prompt: string): Promise<string> {
  const text = process.stdin.isTTY ? await typed(prompt) : await readInput();
  const value = text.replace(/\r?\n$/, '');
  if (value === '') throw new HostError('CONFIG_INVALID', 'the value is empty');
  return value;
}

/** All of standard input. Throws CONFIG_INVALID when it is too much. */
export async function readInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BYTES)
      throw new HostError('CONFIG_INVALID', `standard input: more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Raw mode: the terminal echoes nothing, and Ctrl-C is a character like others. */
function typed(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(prompt);
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  let value = '';
  return new Promise((resolve, reject) => {
    const done = (error?: Error) => {
      stdin.off('data', onData);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write('\n');
      if (error) reject(error);
      else resolve(value);
    };
    const onData = (text: string) => {
      for (const key of text) {
        if (key === '\r' || key === '\n' || key === '\u0004') return done();
        if (key === '\u0003') return done(new HostError('CONFIG_INVALID', 'interrupted'));
        value = key === '\u007f' || key === '\b' ? [...value].slice(0, -1).join('') : value + key;
      }
    };
    stdin.on('data', onData);
  });
}
