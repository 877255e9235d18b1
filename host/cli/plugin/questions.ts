/**
 * Questions at a terminal, put again until there is an answer that will do.
 * May import: kernel.
 */
import { createInterface } from 'node:readline/promises';

import { HostError } from '../../kernel/errors.ts';

export interface Question {
  /** As `name (my-plugin): `. */
  readonly text: string;
  /** For an empty line. */
  readonly otherwise: string;
  /** Why an answer will not do; null when it will. */
  readonly problem: (answer: string) => string | null;
}

export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

export interface Questions extends Disposable {
  /** Throws CONFIG_INVALID when the input ends, or is broken off, before there is an answer. */
  ask(question: Question): Promise<string>;
}

/** Nothing else may read the input until this is disposed. */
export function openQuestions({ input, output }: Terminal): Questions {
  const lines = createInterface({ input, output });
  const ended = new AbortController();
  lines.once('close', () => ended.abort());
  return {
    async ask({ text, otherwise, problem }) {
      for (;;) {
        const answer = await lines
          .question(text, { signal: ended.signal })
          .catch((cause: unknown) => {
            throw new HostError('CONFIG_INVALID', 'no answer: nothing was made', { cause });
          });
        const chosen = answer.trim() || otherwise;
        const why = problem(chosen);
        if (why === null) return chosen;
        output.write(`  ${why}\n`);
      }
    },
    [Symbol.dispose]: () => lines.close(),
  };
}
