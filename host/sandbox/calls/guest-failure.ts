/**
 * What a guest says: of a handler that failed, and in its log. It is hostile: bounded, and never more than text.
 * May import: kernel.
 */
import type { Code } from '../../kernel/errors.ts';

export interface GuestFailed {
  readonly code: Code;
  readonly message: string;
  /** Empty when there is none. */
  readonly stack: string;
}

const MAX_MESSAGE = 500;
const MAX_STACK = 2_048;

const CODES: Readonly<Record<string, Code>> = {
  tooLarge: 'RESPONSE_TOO_LARGE',
  invalid: 'RESPONSE_INVALID',
};

/** From JSON of `GuestFailure` (`sdk/guest/abi.ts`). */
export function readFailure(text: string): GuestFailed {
  try {
    const { reason, message, stack } = JSON.parse(text) as Record<string, unknown>;
    const known = typeof reason === 'string' && Object.hasOwn(CODES, reason);
    return {
      code: (known && CODES[reason]) || 'PLUGIN_THREW',
      message: textOf(message, MAX_MESSAGE),
      stack: ownFrames(textOf(stack, MAX_STACK)),
    };
  } catch {
    const message = 'the failure of the guest could not be read';
    return { code: 'PLUGIN_THREW', message, stack: '' };
  }
}

/** A line that a guest logged, without frames of our runtime and the colours that loggers write for terminals. */
export function logText(line: string): string {
  const plain = line.includes('\u001b') ? line.replaceAll(/\u001b\[[\d;]*m/g, '') : line;
  return ownFrames(plain);
}

/** Where in our runtime a handler was called from helps nobody. */
function ownFrames(stack: string): string {
  if (!stack.includes('vcx:prelude:')) return stack;
  return stack
    .split('\n')
    .filter((frame) => !/\bvcx:prelude:/.test(frame))
    .join('\n');
}

function textOf(value: unknown, chars: number): string {
  return typeof value === 'string' ? value.slice(0, chars) : '';
}
