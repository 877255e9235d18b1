/** A `fetch` binding against servers of the test's own on loopback, with names of the test's own. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Grant } from '../../host/bindings/binding.ts';
import { createFetchBinding, type FetchOptions } from '../../host/bindings/fetch/index.ts';

export interface Listening extends AsyncDisposable {
  readonly port: number;
  readonly hits: () => number;
}

export async function serve(
  listener: RequestListener,
  host = '127.0.0.1',
  make: (listener: RequestListener) => Server = createServer,
): Promise<Listening> {
  let hits = 0;
  const server = make((request, response) => {
    hits += 1;
    listener(request, response);
  });
  await new Promise<void>((resolve) => void server.listen(0, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    hits: () => hits,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const GRANT: Grant = {
  plugin: 'p',
  version: '1.0.0',
  org: 'urn:vcloud:org:a',
  user: 'u',
  callId: 'c-1',
};

export interface Answer {
  readonly status: number;
  readonly headers: [string, string][];
  readonly url: string;
  readonly redirected: boolean;
  readonly text: string;
}

export interface Init {
  readonly method?: string;
  readonly headers?: [string, string][];
  readonly body?: string;
  readonly redirect?: string;
  readonly signal?: AbortSignal;
  readonly grant?: Grant;
  readonly id?: number;
}

/** Loopback is listed, every name is 127.0.0.1 and every origin is granted, unless said otherwise. */
export function openFetch(origins: readonly string[], options: Partial<FetchOptions> = {}) {
  const binding = createFetchBinding({
    addresses: ['127.0.0.0/8'],
    forbidden: () => [],
    resolve: async () => [{ address: '127.0.0.1', family: 4 }],
    grantOf: () => ({
      origins: [...origins],
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
    }),
    ...options,
  });
  let lastId = 0;
  async function go(url: string, init: Init = {}): Promise<Answer> {
    const { method = 'GET', headers = [], body, redirect = 'follow' } = init;
    const wanted = {
      id: init.id ?? ++lastId,
      url,
      method,
      headers,
      body: body === undefined ? null : Buffer.from(body).toString('base64'),
      redirect,
    };
    const signal = init.signal ?? new AbortController().signal;
    const answer = (await binding.call(
      init.grant ?? GRANT,
      'fetch',
      [wanted],
      signal,
    )) as Answer & {
      body: string;
    };
    return { ...answer, text: Buffer.from(answer.body, 'base64').toString() };
  }
  return { binding, go };
}
