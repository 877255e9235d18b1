/** The connection to a real nats-server: who may in, what is refused and how it is said, and how it comes back. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { openBucket } from '../../../host/cluster/link/bucket.ts';
import { openLink } from '../../../host/cluster/link/link.ts';
import type { ClusterOptions } from '../../../host/cluster/link/options.ts';
import { codeOf, messageOf, type Code } from '../../../host/kernel/errors.ts';
import { openNats } from '../../../sdk/localcloud/nats.ts';
import { freePort } from '../../../sdk/localcloud/nodes/ports.ts';
import { SMALL, useNats } from '../../support/cluster/nats.ts';
import { makeNkeyUser, makeOperator } from '../../support/cluster/nats-accounts.ts';
import { waitFor } from '../../support/wait.ts';

const nats = useNats();
const pem = (name: string) => join(import.meta.dirname, '../../support/tls', name);
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vcx-nats-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  writeFileSync(join(folder, name), content, { mode: 0o600 });
  return join(folder, name);
}

/** Open a link and use it once. */
async function works(options: ClusterOptions): Promise<void> {
  await using link = await openLink({ bytes: SMALL, connectMs: 500, ...options });
  const bucket = await openBucket(link, 'leases');
  await bucket.put('k', 'v');
  expect((await bucket.get('k'))?.revision).toBeGreaterThan(0);
}

async function refusal(work: Promise<unknown>): Promise<{ code: Code; message: string }> {
  const error = await work.then(
    () => new Error('it was not refused'),
    (thrown: unknown) => thrown,
  );
  return { code: codeOf(error), message: messageOf(error) };
}

test('a user and a password from a file let in; a wrong password is named as such, and is nowhere shown', async () => {
  await using node = await openNats({
    config: ['authorization: { users: [{ user: vcx, password: "p:w@d" }] }'],
  });
  const credentials = (content: string) =>
    ({ kind: 'password', user: 'vcx', passwordFile: file('password', content) }) as const;
  await works({ servers: [node.url], credentials: credentials('p:w@d\n') });
  const wrong = works({ servers: [node.url], credentials: credentials('hunter2') });
  const { code, message } = await refusal(wrong);
  expect(code).toBe('CLUSTER_CREDENTIALS');
  expect(message).not.toContain('hunter2');
  expect((await refusal(works({ servers: [node.url] }))).code).toBe('CLUSTER_CREDENTIALS');
});

test('an nkey lets in, and so does a credentials file', async () => {
  const user = makeNkeyUser();
  await using byKey = await openNats({
    config: [`authorization: { users: [{ nkey: ${user.publicKey} }] }`],
  });
  const nkey = (seed: string) => ({ kind: 'nkey', seedFile: file('seed', seed) }) as const;
  await works({ servers: [byKey.url], credentials: nkey(`${user.seed}\n`) });
  const other = works({ servers: [byKey.url], credentials: nkey(makeNkeyUser().seed) });
  expect((await refusal(other)).code).toBe('CLUSTER_CREDENTIALS');
  const malformed = await refusal(works({ servers: [byKey.url], credentials: nkey('SUhunter2') }));
  expect(malformed.code).toBe('CONFIG_INVALID');
  expect(malformed.message).not.toContain('hunter2');

  const { config, creds } = makeOperator();
  await using byToken = await openNats({ config });
  const credentials = { kind: 'creds', file: file('user.creds', creds) } as const;
  await works({ servers: [byToken.url], credentials });
  const broken = { kind: 'creds', file: file('broken.creds', 'SUhunter2') } as const;
  const refused = await refusal(works({ servers: [byToken.url], credentials: broken }));
  expect(refused.code).toBe('CONFIG_INVALID');
  expect(refused.message).toMatch(/^cluster\.credentialsFile: (?!.*hunter2)/);
});

test('TLS is a must once it is asked for, in both directions', async () => {
  await using node = await openNats({
    config: [
      `tls: { cert_file: "${pem('server.pem')}", key_file: "${pem('server.key')}", ca_file: "${pem('ca.pem')}", verify: true }`,
    ],
  });
  const servers = [`tls://127.0.0.1:${node.port}`];
  const tls = { caFile: pem('ca.pem'), certFile: pem('client.pem'), keyFile: pem('client.key') };
  await works({ servers, tls });
  expect((await refusal(works({ servers, tls: { caFile: pem('ca.pem') } }))).code).toBe(
    'CLUSTER_UNAVAILABLE',
  );
  const { certFile, keyFile } = tls;
  const distrusted = await refusal(works({ servers, tls: { certFile, keyFile } }));
  expect(distrusted.message).toMatch(/certificate/);
  const plain = await refusal(works({ servers: [nats.node.url], tls }));
  expect(plain.message).toMatch(/tls/);
  const gone = works({ servers, tls: { caFile: join(folder, 'none.pem') } });
  expect(await refusal(gone)).toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('cluster.caFile'),
  });
  const half = await refusal(works({ servers, tls: { caFile: pem('ca.pem'), certFile } }));
  expect(half).toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('keyFile'),
  });
});

test('without JetStream, and without a server, it is said which', async () => {
  await using node = await openNats({ jetstream: false });
  expect((await refusal(works({ servers: [node.url] }))).code).toBe('CLUSTER_JETSTREAM_DISABLED');
  const nobody = `nats://127.0.0.1:${await freePort()}`;
  expect((await refusal(works({ servers: [nobody] }))).code).toBe('CLUSTER_UNAVAILABLE');
  // Of several servers one is enough.
  await works({ servers: [nobody, nats.node.url], prefix: nats.prefix() });
  for (const server of ['http://x', 'nats://user:hunter2@host', 'nats'])
    expect(await refusal(works({ servers: [server] }))).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.not.stringContaining('hunter2'),
    });
});

test('a bucket of another shape is refused with what differs, and left as it is', async () => {
  const prefix = nats.prefix();
  const link = await nats.link({ prefix });
  await openBucket(link, 'journal', { maxAgeMs: 60_000 });
  const { code, message } = await refusal(openBucket(link, 'journal', { maxAgeMs: 120_000 }));
  expect(code).toBe('CLUSTER_BUCKET_SHAPE');
  expect(message).toContain('max_age is 60000000000, not 120000000000');
  const larger = await nats.link({ prefix, bytes: { ...SMALL, journal: 99_999 } });
  const other = await refusal(openBucket(larger, 'journal', { maxAgeMs: 60_000 }));
  expect(other.message).toContain('max_bytes');
  const { config } = await link.manager.streams.info(`KV_${prefix}_journal`);
  expect(config.max_age).toBe(60_000 * 1_000_000);
  // Made by hand such that it would take writes and say nothing, or lose the long ones.
  for (const trap of [{ no_ack: true }, { max_msg_size: 1_000 }]) {
    const { manager } = await nats.link({ prefix });
    await manager.streams.delete(`KV_${prefix}_journal`);
    await manager.streams.add({ ...config, ...trap });
    const trapped = await refusal(openBucket(link, 'journal', { maxAgeMs: 60_000 }));
    expect(trapped.code).toBe('CLUSTER_BUCKET_SHAPE');
    expect(trapped.message).toContain(Object.keys(trap)[0]);
  }
});

test('a full bucket refuses what is new, keeps what is there, and takes again when there is room', async () => {
  const link = await nats.link({ bytes: { ...SMALL, leases: 20_000 } });
  const bucket = await openBucket(link, 'leases');
  const big = 'x'.repeat(9_000);
  await bucket.put('first', big);
  await bucket.put('second', big);
  expect((await refusal(bucket.put('third', big))).code).toBe('CLUSTER_STORE_FULL');
  expect(link.status()).toMatchObject({ reason: null, full: [bucket.name] });
  expect((await bucket.get('first'))?.value?.length).toBe(9_000);
  // Whoever keeps too much can remove it.
  expect(await bucket.remove('second')).toBeGreaterThan(0);
  await bucket.put('third', big);
  expect(link.status().full).toEqual([]);
  const huge = await refusal(bucket.put('huge', 'x'.repeat(2_000_000)));
  expect(huge.code).toBe('CLUSTER_VALUE_TOO_LARGE');
});

test('a storage that has no room for a bucket is full', async () => {
  await using node = await openNats({
    jetstream: false,
    config: [`jetstream: { store_dir: "${join(folder, 'small')}", max_file_store: 1MB }`],
  });
  expect((await refusal(works({ servers: [node.url], bytes: { leases: 99_000_000 } }))).code).toBe(
    'CLUSTER_STORE_FULL',
  );
});

test('two clusters share one server and see nothing of each other', async () => {
  const [one, two] = [await nats.link(), await nats.link()];
  const [first, second] = [await openBucket(one, 'kv'), await openBucket(two, 'kv')];
  await first.put('d.k', 'v');
  expect(await second.get('d.k')).toBe(null);
  expect(await second.entries('>')).toEqual([]);
});

test('a server that was killed is away at once and comes back with everything, for those who watch too', async () => {
  const link = await nats.link();
  const bucket = await openBucket(link, 'kv');
  const seen = new Map<string, number>();
  using watch = bucket.watch('>', { entry: ({ key, revision }) => void seen.set(key, revision) });
  await watch.loaded;
  await bucket.put('before', 'v');
  await nats.node.kill();
  await waitFor(() => link.status().reason !== null);
  expect(link.status().reason).toMatch(/^CLUSTER_UNAVAILABLE: /);
  expect((await refusal(bucket.put('during', 'v'))).code).toBe('CLUSTER_UNAVAILABLE');
  await nats.node.start();
  await waitFor(() => link.status().reason === null);
  expect((await bucket.get('before'))?.value).not.toBe(null);
  expect(await bucket.get('during')).toBe(null);
  // Written by somebody else while the watch looked away.
  const other = await openBucket(await nats.link({ prefix: link.settings.prefix }), 'kv');
  await other.put('after', 'v');
  await waitFor(() => seen.has('after'));
  expect(link.status().reconnects).toBe(1);
});

test('a password that was changed on both sides needs no restart', async () => {
  const password = file('rotating', 'old');
  const config = (secret: string) => [
    `authorization: { users: [{ user: vcx, password: ${secret} }] }`,
  ];
  const dir = mkdtempSync(join(folder, 'node-'));
  const port = await freePort();
  const before = await openNats({ dir, port, config: config('old') });
  const credentials = { kind: 'password', user: 'vcx', passwordFile: password } as const;
  await using link = await openLink({ servers: [before.url], credentials, bytes: SMALL });
  await before[Symbol.asyncDispose]();
  await using _after = await openNats({ dir, port, config: config('new') });
  await waitFor(() => link.status().reason?.includes('CLUSTER_CREDENTIALS') ?? false);
  file('rotating', 'new');
  await waitFor(() => link.status().reason === null);
});
