/**
 * What all `vcx plugin` commands share: exit codes, answers as text or JSON, and a line of progress.
 * May import: kernel.
 */
import { codeOf, messageOf } from '../../kernel/errors.ts';
import { printable, printableJson } from '../../kernel/printable.ts';
import { nextStep } from './next-step.ts';

export interface Answer {
  readonly ok: boolean;
  /** For people, a line each. */
  readonly text: readonly string[];
  /** With `--json`: printed as one object together with `ok`. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Everything was printed while it ran. */
  readonly silent?: boolean;
}

export interface CommonOptions {
  readonly json?: boolean;
  /** With `json`: the answer, too, is one line, since others went before it. */
  readonly jsonLines?: boolean;
}

/** 0: done. 1: it ran and found a failure. 2: wrong arguments or files. */
const EXIT = { done: 0, failed: 1, usage: 2 } as const;

/** Run a command and set the exit code; nothing is thrown out of it. */
export async function answer(
  options: CommonOptions,
  command: (progress: Progress) => Promise<Answer>,
): Promise<void> {
  using progress = openProgress();
  try {
    const { ok, text, json, silent = false } = await command(progress);
    progress.clear();
    if (!silent) console.log(options.json ? jsonText({ ok, ...json }, options) : text.join('\n'));
    process.exitCode = ok ? EXIT.done : EXIT.failed;
  } catch (error) {
    progress.clear();
    const code = codeOf(error);
    const message = messageOf(error);
    const next = nextStep(code);
    if (options.json) console.log(jsonText({ ok: false, code, message, next }, options));
    else {
      console.error(`vcx: ${code}: ${printable(message)}`);
      if (next !== null) console.error(`next: ${next}`);
    }
    if (code === 'INTERNAL' && error instanceof Error && error.stack) console.error(error.stack);
    process.exitCode = code === 'CONFIG_INVALID' ? EXIT.usage : EXIT.failed;
  }
}

function jsonText(value: unknown, { jsonLines = false }: CommonOptions): string {
  return printableJson(JSON.stringify(value, null, jsonLines ? 0 : 2));
}

export interface Progress extends Disposable {
  /** What is being done now; with a share of 0 to 1, a bar too. Shown on a terminal only. */
  show(what: string, share?: number): void;
  clear(): void;
}

const BAR = 20;

/** On standard error, so that standard output holds the answer and nothing else. To be cleared before anything is printed. */
export function openProgress(): Progress {
  const { stderr } = process;
  const clear = () => {
    if (stderr.isTTY) stderr.write('\r\u001b[K');
  };
  return {
    show(what, share) {
      if (!stderr.isTTY) return;
      const full = Math.round((share ?? 0) * BAR);
      const bar = share === undefined ? '' : `[${'#'.repeat(full)}${'-'.repeat(BAR - full)}] `;
      stderr.write(`\r\u001b[K${bar}${what} …`);
    },
    clear,
    [Symbol.dispose]: clear,
  };
}
