/**
 * Bounded text of whatever a guest throws or logs; never throws itself.
 * May import: primordials.
 */
import { isArray, isError, slice, stringify, toText } from './primordials.ts';

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

/** Causes, and errors of an aggregate, that are told. */
const MAX_CAUSES = 3;

/**
 * `Name [code]: message` and the stack of a thrown value, that of its causes behind it. Getters, proxies and
 * `toString` run in here and nowhere else.
 */
export function describe(thrown: unknown): Described {
  try {
    if (typeof thrown !== 'object' || thrown === null)
      return { message: clip(toText(thrown), MESSAGE_CHARS), stack: '' };
    const { name, message, stack } = thrown as Record<string, unknown>;
    const isOne = isError(thrown);
    if (!isOne && typeof message !== 'string')
      return { message: clip(stringify(thrown) ?? 'an object', MESSAGE_CHARS), stack: '' };
    const title = clip(text(name) || 'Error', 100);
    const code = isOne ? text((thrown as { code?: unknown }).code) : '';
    const coded = code === '' ? title : `${title} [${clip(code, 100)}]`;
    return {
      message: clip(`${coded}: ${clip(text(message), MESSAGE_CHARS)}`, MESSAGE_CHARS),
      stack: clip(
        `${withTitle(text(stack), title, coded)}${isOne ? causesOf(thrown) : ''}`,
        STACK_CHARS,
      ),
    };
  } catch {
    return { message: 'a value that can not be described', stack: '' };
  }
}

/** A stack begins with the title as it was when the error was made. */
function withTitle(stack: string, title: string, coded: string): string {
  return slice(stack, 0, title.length) === title ? coded + slice(stack, title.length) : stack;
}

/** In the form that Node prints. An error may be among its own causes: none is followed for ever. */
function causesOf(thrown: object): string {
  const { errors } = thrown as { errors?: unknown };
  let told = '';
  let { cause } = thrown as { cause?: unknown };
  for (let count = 0; cause !== undefined && count < MAX_CAUSES; count++) {
    const { stack } = isError(cause) ? (cause as Error) : {};
    told += `\n  [cause]: ${text(stack) || brief(cause)}`;
    cause = isError(cause) ? (cause as Error).cause : undefined;
  }
  if (isArray(errors))
    for (let at = 0; at < errors.length && at < MAX_CAUSES; at++)
      told += `\n  [errors ${at}]: ${brief(errors[at])}`;
  return told;
}

function brief(value: unknown): string {
  if (!isError(value))
    return clip(
      (typeof value === 'object' ? stringify(value) : toText(value)) ?? 'an object',
      MESSAGE_CHARS,
    );
  const { name, message } = value as Error;
  return clip(`${text(name) || 'Error'}: ${text(message)}`, MESSAGE_CHARS);
}
