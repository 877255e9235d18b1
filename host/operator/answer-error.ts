/**
 * Errors of the operator endpoint as JSON: `{code, message}` with the status of the code.
 * May import: kernel.
 */
import type { Context, ErrorHandler } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

import { HostError, messageOf, type Code } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';

/** What goes with a code besides its status. */
const HEADERS: Partial<Record<Code, Readonly<Record<string, string>>>> = {
  OPERATOR_UNAUTHENTICATED: { 'WWW-Authenticate': 'Bearer realm="vcx"' },
  OPERATOR_RATE_EXCEEDED: { 'Retry-After': '2' },
  OPERATOR_BUSY: { 'Retry-After': '5' },
};

/** What is not ours goes to the log in full, and to the caller as INTERNAL without its text. */
export function createAnswerError(log: Log): ErrorHandler {
  return (error, c) => {
    if (error instanceof HostError && error.code !== 'INTERNAL') return answer(c, error);
    const { method, path } = c.req;
    log.error('operator.failed', { method, path, reason: messageOf(error), stack: error.stack });
    return answer(c, new HostError('INTERNAL', 'a defect in vcx; the log of the host says more'));
  };
}

function answer(c: Context, error: HostError): Response {
  const { code, info } = error;
  for (const [name, value] of Object.entries(HEADERS[code] ?? {})) c.header(name, value);
  return c.json({ code, message: messageOf(error) }, info.status as ContentfulStatusCode);
}
