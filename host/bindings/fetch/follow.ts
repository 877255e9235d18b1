/**
 * A request and the redirects it meets: every hop is checked as if it were the first.
 * May import: kernel.
 */
import type { IncomingMessage } from 'node:http';

import { HostError } from '../../kernel/errors.ts';
import { readBody, send, type Outgoing } from './exchange.ts';
import type { FetchGrant } from './grant.ts';
import type { Guard } from './guard.ts';
import {
  answerHeaders,
  withoutBodyHeaders,
  withoutCredentials,
  type HeaderPairs,
} from './headers.ts';

export interface Journey {
  readonly grant: FetchGrant;
  readonly guard: Guard;
  readonly redirect: 'follow' | 'manual' | 'error';
  readonly maxRedirects: number;
  readonly responseBytes: number;
  readonly ca: readonly string[] | undefined;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: HeaderPairs;
  readonly body: Buffer;
  /** Without fragment; of the last hop. */
  readonly url: string;
  readonly redirected: boolean;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Throws a HostError, or what the socket or the decompressor said. */
export async function travel(first: Outgoing, journey: Journey): Promise<Answer> {
  let outgoing = first;
  for (let hops = 0; ; hops += 1) {
    const reached = await hop(outgoing, journey);
    if (!('next' in reached)) return { ...reached, redirected: hops > 0 };
    if (hops >= journey.maxRedirects)
      throw new HostError('FETCH_FAILED', `more than ${journey.maxRedirects} redirects`);
    outgoing = reached.next;
  }
}

async function hop(
  outgoing: Outgoing,
  { grant, guard, redirect, responseBytes, ca, signal }: Journey,
): Promise<Omit<Answer, 'redirected'> | { readonly next: Outgoing }> {
  checkGrant(outgoing, grant);
  const addresses = await unlessAborted(guard.admit(outgoing.url, signal), signal);
  const answer = await send(outgoing, { addresses, ca, signal });
  try {
    const target = redirect === 'manual' ? null : targetOf(outgoing.url, answer);
    if (target && redirect === 'error')
      throw new HostError('FETCH_FAILED', 'the answer is a redirect');
    if (target) return { next: redirected(outgoing, target, answer.statusCode ?? 0) };
    const body = await readBody(answer, responseBytes);
    return { ...headOf(answer), body, url: hrefOf(outgoing.url) };
  } finally {
    // The body of a redirect is of no interest, that of a failure neither; the connection is not used again.
    answer.destroy();
  }
}

function checkGrant({ url, method }: Outgoing, { origins, methods }: FetchGrant): void {
  if (!origins.includes(url.origin))
    throw denied(`${url.origin.slice(0, 200)} is not in \`fetch.origins\``);
  if (!methods.some((allowed) => allowed === method))
    throw denied(`${method.slice(0, 20)} is not in \`fetch.methods\``);
  if (url.username !== '' || url.password !== '')
    throw new HostError('BINDING_ARGUMENT', 'fetch: credentials in a URL are not sent');
}

function denied(what: string): HostError {
  return new HostError('FETCH_ORIGIN_DENIED', `fetch: ${what} of plugin.json`);
}

/** The system's resolver can not be stopped; nobody waits for it any longer. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    work.catch(() => undefined); // its failure is of no interest any more
    return Promise.reject(new Error('aborted'));
  }
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const abort = () => reject(new Error('aborted'));
  signal.addEventListener('abort', abort, { once: true });
  work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  return promise;
}

/** Where the answer sends us, or null when it is the last one. */
function targetOf(from: URL, { statusCode, headers }: IncomingMessage): URL | null {
  if (!REDIRECTS.has(statusCode ?? 0) || headers.location === undefined) return null;
  const target = URL.parse(headers.location, from);
  if (target === null) throw new HostError('FETCH_FAILED', 'the redirect leads nowhere');
  return target;
}

/** The Fetch Standard, "HTTP-redirect fetch": steps on methods, bodies and credentials. */
function redirected({ url, method, headers, body }: Outgoing, target: URL, status: number) {
  const kept = target.origin === url.origin ? headers : withoutCredentials(headers);
  const toGet =
    (status === 303 && method !== 'GET' && method !== 'HEAD') ||
    ((status === 301 || status === 302) && method === 'POST');
  if (toGet) return { url: target, method: 'GET', headers: withoutBodyHeaders(kept), body: null };
  return { url: target, method, headers: kept, body };
}

function headOf(answer: IncomingMessage): Pick<Answer, 'status' | 'statusText' | 'headers'> {
  const { statusCode = 0, statusMessage = '', rawHeaders } = answer;
  if (statusCode < 200 || statusCode > 599)
    throw new HostError('FETCH_FAILED', `the status ${statusCode} is not one of HTTP`);
  return {
    status: statusCode,
    statusText: statusMessage.replaceAll(/[^\t\x20-\x7e]/g, '').slice(0, 200),
    headers: answerHeaders(rawHeaders),
  };
}

function hrefOf(url: URL): string {
  return url.hash === '' ? url.href : url.href.slice(0, -url.hash.length);
}
