/** The operator endpoint on a real socket: uploads that are cut or too large, readers that go away, its address. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import type { LogLine, Logbook } from '../../../host/bundles/live/logbook.ts';
import { createClient } from '../../../host/cli/plugin/remote/client.ts';
import { findEndpoint } from '../../../host/cli/plugin/remote/endpoint.ts';
import { openOperator } from '../../../host/operator/server.ts';
import { writeOperatorUrl } from '../../../host/operator/url-file.ts';
import { bundleOf } from '../../support/plugins/bundles.ts';
import { createOperatorParts, OPERATOR_TOKEN } from '../../support/operator/kit.ts';
import { waitFor } from '../../support/wait.ts';

async function open(changes: { logbook?: Logbook } = {}) {
  const kit = createOperatorParts();
  const place = { host: '127.0.0.1', port: 0 };
  const operator = await openOperator({ ...kit.options, ...changes, ...place });
  const client = createClient({ url: new URL(operator.url), token: OPERATOR_TOKEN });
  return {
    url: new URL(operator.url),
    client,
    parts: kit.options,
    async [Symbol.asyncDispose]() {
      await operator[Symbol.asyncDispose]();
      await kit[Symbol.asyncDispose]();
    },
  };
}

test('an upload that is cut in the middle is not handed on, and the endpoint goes on', async () => {
  await using host = await open();
  const bundle = bundleOf();
  const head = [
    'POST /api/v1/plugins HTTP/1.1',
    'Host: localhost',
    `Authorization: Bearer ${OPERATOR_TOKEN}`,
    'Content-Type: application/octet-stream',
    `Content-Length: ${bundle.length}`,
    '\r\n',
  ].join('\r\n');
  for (const end of ['end', 'destroy'] as const) {
    const socket = connect(Number(host.url.port), '127.0.0.1');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined).resume();
    socket.write(head);
    await new Promise<void>((sent) => socket.write(bundle.subarray(0, -100), () => sent()));
    socket[end]();
    await closed;
  }
  expect(await host.client.get('/plugins')).toEqual({ plugins: [] });
  expect(host.parts.admin.uploads).toEqual([]);
});

test('an upload over the cap is refused with its code, and one within it shows how far it is', async () => {
  await using host = await open();
  const path = '/plugins';
  const type = 'application/octet-stream';
  const huge = { path, type, body: Buffer.alloc(34_000_000), onProgress: () => undefined };
  await expect(host.client.upload(huge)).rejects.toMatchObject({ code: 'BUNDLE_TOO_LARGE' });
  const shares: number[] = [];
  const body = bundleOf({ 'assets/large.txt': 'x'.repeat(2_000_000) });
  const fine = { path, type, body, onProgress: (share: number) => void shares.push(share) };
  expect(await host.client.upload(fine)).toMatchObject({ state: 'live' });
  expect(shares.length).toBeGreaterThan(4);
  expect(shares.at(-1)).toBe(1);
});

test('a follower that goes away is let go, one that is slow is told what it missed', async () => {
  let following = 0;
  let tell: (line: LogLine) => void = () => undefined;
  const logbook: Logbook = {
    write: () => undefined,
    read: () => [],
    forget: () => undefined,
    follow(_query, line) {
      following += 1;
      tell = line;
      return { [Symbol.dispose]: () => void (following -= 1) };
    },
  };
  await using host = await open({ logbook });
  const upload = {
    path: '/plugins',
    type: 'application/octet-stream',
    onProgress: () => undefined,
  };
  await host.client.upload({ ...upload, body: bundleOf() });
  const stop = new AbortController();
  const opened = Promise.withResolvers<string>();
  const options = { signal: stop.signal, onOpen: opened.resolve };
  const lines = host.client.lines('/plugins/demo/logs?follow=1', options);
  const reading = lines[Symbol.asyncIterator]();
  const first = reading.next();
  await opened.promise;
  const line: LogLine = {
    id: 1,
    at: 1,
    plugin: 'demo',
    version: '1.0.0',
    org: 'urn:vcloud:org:x',
    callId: 'c',
    kind: 'log',
    level: 'info',
    text: 'x'.repeat(4_000),
  };
  // Nobody reads meanwhile: socket and stream fill up, and then the lines that may wait.
  for (let i = 1; i <= 50_000; i++) tell({ ...line, id: i });
  expect(JSON.parse(String((await first).value))).toMatchObject({ id: 1 });
  let seen = 1;
  let dropped = 0;
  while (dropped === 0) {
    const { value } = await reading.next();
    const item = JSON.parse(value as string) as { dropped?: number };
    if (item.dropped === undefined) seen += 1;
    else dropped = item.dropped;
  }
  expect(seen + dropped).toBe(50_000);
  expect(following).toBe(1);
  stop.abort();
  await reading.next().catch(() => undefined);
  await waitFor(() => following === 0);
});

test('disposing ends what is followed and frees the port', async () => {
  const host = await open();
  const upload = {
    path: '/plugins',
    type: 'application/octet-stream',
    onProgress: () => undefined,
  };
  await host.client.upload({ ...upload, body: bundleOf() });
  const opened = Promise.withResolvers<string>();
  const signal = new AbortController().signal;
  const lines = host.client.lines('/plugins/demo/logs?follow=1', {
    signal,
    onOpen: opened.resolve,
  });
  const next = lines[Symbol.asyncIterator]().next();
  next.catch(() => undefined);
  await opened.promise;
  await host[Symbol.asyncDispose]();
  await expect(next).rejects.toMatchObject({ code: 'OPERATOR_UNAVAILABLE' });
  await expect(host.client.get('/me')).rejects.toMatchObject({ code: 'OPERATOR_UNAVAILABLE' });
});

test('the address is found in the state folder, and a token of the environment stays on this machine', () => {
  const cwd = mkdtempSync(join(tmpdir(), 'vcx-endpoint-'));
  const env = { VCX_OPERATOR_TOKEN: 'mine', VCX_CACHE_DIR: join(cwd, 'cache') };
  const code = (at: NodeJS.ProcessEnv) => {
    try {
      return findEndpoint({}, { env: at, cwd }).url.href;
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  try {
    const state = join(cwd, 'cache', 'local');
    expect(code(env)).toBe('CONFIG_INVALID');
    const place = writeOperatorUrl(state, 'http://0.0.0.0:8780');
    expect(readFileSync(join(state, 'operator.url'), 'utf8')).toBe('http://127.0.0.1:8780\n');
    writeFileSync(join(state, 'operator.token'), 'of the host');
    expect(code(env)).toBe('http://127.0.0.1:8780/');
    const later = writeOperatorUrl(state, 'http://evil.example:8780');
    expect(code(env)).toBe('CONFIG_INVALID');
    const away = { ...env, VCX_OPERATOR_URL: 'https://vcx.example' };
    expect(code(away)).toBe('https://vcx.example/');
    // The wrong file was named: no header can hold it, and none should.
    expect(code({ ...away, VCX_OPERATOR_TOKEN: '-----BEGIN\nKEY-----' })).toBe('CONFIG_INVALID');
    place[Symbol.dispose]();
    expect(readFileSync(join(state, 'operator.url'), 'utf8')).toContain('evil');
    later[Symbol.dispose]();
    expect(code(env)).toBe('CONFIG_INVALID');
  } finally {
    rmSync(cwd, { recursive: true });
  }
});
