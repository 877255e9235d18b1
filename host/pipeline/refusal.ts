/**
 * How the corridor says no: a code, a message for people, and what the caller may do.
 * May import: kernel, message.
 */
import { CODES, type Code } from '../kernel/errors.ts';
import type { ReplyMessage } from '../message/encode.ts';
import { encodeError } from '../message/vcloud-error.ts';

export interface Refusal {
  readonly code: Code;
  readonly message: string;
  /** Seconds for `Retry-After`. */
  readonly retryAfterS?: number;
  /** Further headers, e.g. `Allow`. */
  readonly headers?: Readonly<Record<string, string>>;
}

export function refuse(code: Code, message: string, extra: Partial<Refusal> = {}): Refusal {
  return { code, message, ...extra };
}

/** In place of what a handler threw, which may name anything that it knows: it is for the plug-in's log alone. */
const OWN_WORDS: Partial<Record<Code, string>> = {
  PLUGIN_THREW: 'the plug-in failed; its log says why',
};

/** The refusal in the form that the caller's `Accept` asks for: vCloud's Error as XML or JSON. */
export function refusalReply(id: string, accept: string, refusal: Refusal): ReplyMessage {
  const { status } = CODES[refusal.code];
  const message = OWN_WORDS[refusal.code] ?? refusal.message;
  const { contentType, body } = encodeError({ status, code: refusal.code, message }, accept);
  const retry = refusal.retryAfterS ?? (status === 429 || status === 503 ? 1 : null);
  return {
    id,
    status,
    headers: {
      'Content-Type': contentType,
      'X-Content-Type-Options': 'nosniff',
      ...(retry === null ? {} : { 'Retry-After': String(retry) }),
      ...refusal.headers,
    },
    body: Buffer.from(body).toString('base64'),
  };
}
