/**
 * Runs the handler a call asks for and turns what it returns into reply text.
 * May import: abi, context, platform, primordials, reply, request.
 */
import type { GuestRequest } from './abi.ts';
import type { Context } from './context.ts';
import { TextDecoder } from './platform/encoding.ts';
import { isResponse, Response } from './platform/fetch.ts';
import { fromBase64, parse } from './primordials.ts';
import { ReplyError, replyText } from './reply.ts';
import { createRequest } from './request.ts';

export const HANDLERS = ['fetch', 'response', 'notification'] as const;

export type Handlers = Partial<
  Record<
    (typeof HANDLERS)[number],
    (input: unknown, env: Readonly<Record<string, unknown>>, context: Context) => unknown
  >
>;

export interface Run {
  readonly plugin: Handlers;
  readonly request: GuestRequest;
  readonly env: Readonly<Record<string, unknown>>;
  readonly context: Context;
  readonly maxBytes: number;
}

const NO_CONTENT = '{"status":204,"headers":[],"body":""}';
const BODILESS = new Set([204, 205, 304]);

function createResponse({ status = 200, headers, body }: GuestRequest): Response {
  const bytes = body === null || BODILESS.has(status) ? null : fromBase64(body);
  return new Response(bytes, { status, headers: headers.map(([name, value]) => [name, value]) });
}

async function runResponse({ plugin, request, env, context, maxBytes }: Run): Promise<string> {
  const returned = await plugin.response?.(createResponse(request), env, context);
  // Nothing returned means "as it was"; the body may have been read, so it is made again.
  return replyText(returned === undefined ? createResponse(request) : returned, maxBytes);
}

async function runNotification({ plugin, request, env, context }: Run): Promise<string> {
  const bytes = fromBase64(request.body ?? '');
  await plugin.notification?.(parse(new TextDecoder().decode(bytes)), env, context);
  return NO_CONTENT;
}

async function later(response: unknown, maxBytes: number): Promise<string> {
  return replyText(await response, maxBytes);
}

/** What to post as the reply, or a promise of it. Whatever is thrown is the caller's to describe. */
export function runHandler(run: Run): string | Promise<string> {
  const { plugin, request, env, context, maxBytes } = run;
  if (typeof plugin[request.handler] !== 'function')
    throw new ReplyError('invalid', `The plug-in has no ${request.handler} handler`);
  if (request.handler === 'response') return runResponse(run);
  if (request.handler === 'notification') return runNotification(run);
  const returned = plugin.fetch?.(createRequest(request, context), env, context);
  return isResponse(returned) ? replyText(returned, maxBytes) : later(returned, maxBytes);
}
