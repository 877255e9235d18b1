/** A host that can not have its share of the cluster does not start, and says why by code and exit code. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { openBucket } from '../../host/cluster/link/bucket.ts';
import { openLink } from '../../host/cluster/link/link.ts';
import { type NatsNode, openNats } from '../../sdk/localcloud/nats.ts';
import { PROBES } from '../support/live.ts';
import { SMALL } from '../support/nats.ts';
import { runProgram } from '../support/program.ts';

const PASSWORD = 'correct-horse';
const KEY = Buffer.alloc(32, 7).toString('base64');

const stack = new AsyncDisposableStack();
let dir = '';
let nats: NatsNode;
let bare: NatsNode;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'vcx-start-'));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const config = [`authorization: { users: [{ user: vcx, password: "${PASSWORD}" }] }`];
  nats = stack.use(await openNats({ config }));
  bare = stack.use(await openNats({ jetstream: false }));
  // Smaller than a host makes them.
  const credentials = { kind: 'password', user: 'vcx', passwordFile: file('password') } as const;
  await using link = await openLink({ servers: [nats.url], credentials, bytes: SMALL });
  await openBucket(link, 'journal');
});
afterAll(() => stack.disposeAsync());

function file(name: string, text = PASSWORD): string {
  writeFileSync(join(dir, name), text, { mode: 0o600 });
  return join(dir, name);
}

const password = (name: string, text?: string) => ({
  VCX_CLUSTER_USER: 'vcx',
  VCX_CLUSTER_PASSWORD_FILE: file(name, text),
});

test.each([
  {
    what: 'a wrong password',
    settings: () => password('wrong', 'hunter2'),
    says: /CLUSTER_CREDENTIALS/,
    code: 1,
  },
  {
    what: 'a server without JetStream',
    settings: () => ({ VCX_CLUSTER_SERVERS: `["${bare.url}"]` }),
    says: /CLUSTER_JETSTREAM_DISABLED/,
    code: 1,
  },
  {
    what: 'a bucket of another shape',
    settings: () => password('right'),
    says: /CLUSTER_BUCKET_SHAPE: KV_vcx_journal: .*max_bytes/,
    code: 1,
  },
  {
    what: 'more copies than there are servers',
    settings: () => ({
      ...password('right'),
      VCX_CLUSTER_PREFIX: 'two',
      VCX_CLUSTER_REPLICAS: '3',
    }),
    says: /CONFIG_INVALID: .*replicas/,
    code: 2,
  },
  {
    what: 'no key that the others have too',
    settings: () => ({ ...password('right'), VCX_SECRETS_KEY: undefined }),
    says: /CONFIG_INVALID: secrets\.keyFile/,
    code: 2,
  },
])('$what ends the start', async ({ settings, says, code }) => {
  const state = mkdtempSync(join(dir, 'state-'));
  const env = {
    CWD: state,
    VCX_AMQP_URL: 'amqp://127.0.0.1:1',
    VCX_STATE_DIR: state,
    VCX_PLUGINS_FOLDERS: JSON.stringify([PROBES]),
    VCX_CLUSTER_SERVERS: `["${nats.url}"]`,
    VCX_SECRETS_KEY: KEY,
    ...settings(),
  };
  const set = Object.entries(env).filter((entry): entry is [string, string] => !!entry[1]);
  await using program = runProgram(['start'], Object.fromEntries(set));
  expect(await program.exited, program.output()).toBe(code);
  expect(program.output()).toMatch(says);
  expect(program.output()).not.toContain('hunter2');
});

test('a stop while the host waits for NATS ends it', async () => {
  const state = mkdtempSync(join(dir, 'state-'));
  await using program = runProgram(['start'], {
    CWD: state,
    VCX_AMQP_URL: 'amqp://127.0.0.1:1',
    VCX_STATE_DIR: state,
    VCX_CLUSTER_SERVERS: '["nats://127.0.0.1:1"]',
    VCX_SECRETS_KEY: KEY,
  });
  await program.says(/cluster\.connect_failed/);
  const began = performance.now();
  program.signal('SIGTERM');
  expect(await program.exited).toBe(0);
  expect(performance.now() - began).toBeLessThan(15_000);
});
