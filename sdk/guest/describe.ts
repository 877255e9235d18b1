/**
 * Bounded text of whatever a guest throws or logs; never throws itself.
 * May import: primordials.
 */
import { isError, slice, stringify } from './primordials.ts';

export const MESSAGE_CHARS = 500;
export const STACK_CHARS = 4_000;

export interface Described {
  readonly message: string;
  readonly stack: string;
}

/** Cut a text, saying so. */
export function clip(text: string, chars: number): string {
  return text.length <= chars ? text : `${slice(text, 0, chars)}…`;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** `Name: message` and the stack of a thrown value. Getters, proxies and `toString` run in here and nowhere else. */
export function describe(thrown: unknown): Described {
  try {
    if (typeof thrown === 'object' && thrown !== null) {
      const { name, message, stack } = thrown as Record<string, unknown>;
      const known = isError(thrown) || typeof message === 'string';
      if (known) {
        const title = text(name) || 'Error';
        return {
          message: clip(
            `${clip(title, 100)}: ${clip(text(message), MESSAGE_CHARS)}`,
            MESSAGE_CHARS,
          ),
          stack: clip(text(stack), STACK_CHARS),
        };
      }
      return { message: clip(stringify(thrown) ?? 'an object', MESSAGE_CHARS), stack: '' };
    }
    return { message: clip(String(thrown), MESSAGE_CHARS), stack: '' };
  } catch {
    return { message: 'a value that can not be described', stack: '' };
  }
}
