/**
 * What a guest asks for, checked: from the arguments of the host call to a request that can be sent.
 * May import: kernel.
 */
import { z } from 'zod';

import { HostError } from '../../kernel/errors.ts';
import type { Outgoing } from './exchange.ts';
import { requestHeaders } from './headers.ts';

const id = z.int().min(0);
const wanted = z.strictObject({
  /** Names the fetch among those of its call, for `abort`. */
  id,
  url: z.string().max(8_192),
  method: z.string().max(16),
  headers: z.array(z.tuple([z.string(), z.string()])),
  /** Base64, or null for none. */
  body: z.string().nullable(),
  redirect: z.enum(['follow', 'manual', 'error']),
});

export type Wanted = z.infer<typeof wanted>;

/** Arguments of `fetch`. Throws BINDING_ARGUMENT. */
export function readWanted(args: unknown): Wanted {
  return check(z.tuple([wanted]), args)[0];
}

/** Arguments of `abort`: the number of a fetch. Throws BINDING_ARGUMENT. */
export function readId(args: unknown): number {
  return check(z.tuple([id]), args)[0];
}

/** Throws BINDING_ARGUMENT or FETCH_TOO_LARGE. Whether it is allowed is not looked at here. */
export function outgoingOf(
  { url: text, method, headers, body }: Wanted,
  maxBytes: number,
): Outgoing {
  const url = URL.parse(text);
  if (url === null) throw new HostError('BINDING_ARGUMENT', 'fetch: not an absolute URL');
  if (body !== null && (method === 'GET' || method === 'HEAD'))
    throw new HostError('BINDING_ARGUMENT', `fetch: a ${method} has no body`);
  const bytes = body === null ? null : Buffer.from(body, 'base64');
  if (bytes !== null && bytes.length > maxBytes)
    throw new HostError('FETCH_TOO_LARGE', `the body is larger than ${maxBytes} bytes`);
  return { url, method, headers: requestHeaders(headers), body: bytes };
}

function check<T>(schema: z.ZodType<T>, args: unknown): T {
  const result = schema.safeParse(args);
  if (result.success) return result.data;
  throw new HostError('BINDING_ARGUMENT', 'fetch: an argument is missing or of the wrong type');
}
