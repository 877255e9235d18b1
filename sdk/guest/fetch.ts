/**
 * `fetch` in the guest: a Request goes out as one host call, its answer comes back as a Response.
 * May import: hostcall, platform, primordials.
 */
import { BindingError } from './hostcall.ts';
import { getResponseState, Request, Response } from './platform/fetch.ts';
import { URL } from './platform/url.ts';
import { fromBase64, toBase64 } from './primordials.ts';

/** The host's half of the binding. */
export interface FetchHost {
  call(method: string, args: readonly unknown[]): Promise<unknown>;
}

interface Answer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly (readonly [string, string])[];
  /** Base64. */
  readonly body: string;
  readonly url: string;
  readonly redirected: boolean;
}

const BODILESS = new Set([204, 205, 304]);

let lastId = 0;

/** Rejects with a TypeError for a bad request, a `BindingError` when the host refuses or fails, the reason when aborted. */
export async function fetchThrough(
  host: FetchHost,
  input: RequestInfo | URL,
  init?: RequestInit,
): Promise<Response> {
  const request = new Request(input, init ?? {});
  const { signal } = request;
  signal.throwIfAborted();
  const id = ++lastId;
  const wanted = {
    id,
    url: request.url,
    method: request.method,
    headers: [...request.headers],
    body: await bodyOf(request),
    redirect: request.redirect,
  };
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => {
    reject(signal.reason);
    void host.call('abort', [id]).catch(() => {}); // the call may be over, which ends the fetch too
  };
  signal.addEventListener('abort', abort);
  try {
    const answer = await Promise.race([host.call('fetch', [wanted]), aborted]);
    return responseOf(answer as Answer);
  } catch (error) {
    // A race hides who waits for it: from here the stack leads to the author's line.
    if (error instanceof BindingError) throw new BindingError(error.code, error.message);
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function bodyOf(request: Request): Promise<string | null> {
  if (request.method === 'GET' || request.method === 'HEAD') return null;
  const bytes = await request.bytes();
  return bytes.length === 0 ? null : toBase64(bytes);
}

function responseOf({ status, statusText, headers, body, url, redirected }: Answer): Response {
  const bytes = BODILESS.has(status) ? null : fromBase64(body);
  const pairs = headers.map(([name, value]): [string, string] => [name, value]);
  const response = new Response(bytes, { status, statusText, headers: pairs });
  // No constructor takes these; `url` is the last of the list, `redirected` that there are several.
  const last = new URL(url);
  Object.assign(getResponseState(response) as object, {
    urlList: redirected ? [last, last] : [last],
    type: 'basic',
  });
  return response;
}
