/** A host that can not have its share of the cluster does not start, and says why by code and exit code. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { openBucket } from '../../../host/cluster/link/bucket.ts';
import { openLink } from '../../../host/cluster/link/link.ts';
import { openPulse } from '../../../host/cluster/pulse.ts';
import { type NatsNode, openNats } from '../../../sdk/localcloud/nats.ts';
import { PROBES } from '../../support/live.ts';
import { SMALL } from '../../support/cluster/nats.ts';
import { runProgram } from '../../support/program.ts';

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

const stateFolder = () => mkdtempSync(join(dir, 'state-'));

// One after the other they would wait for each other's processes to load.
test.concurrent.each([
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
    what: 'a user and a key at once',
    settings: () => ({ ...password('right'), VCX_CLUSTER_NKEY_FILE: file('seed') }),
    says: /CONFIG_INVALID: cluster: one of user, nkeyFile and credentialsFile/,
    code: 2,
  },
  {
    what: 'no key that the others have too',
    settings: () => ({ ...password('right'), VCX_SECRETS_KEY: undefined }),
    says: /CONFIG_INVALID: secrets\.keyFile/,
    code: 2,
  },
])('$what ends the start', async ({ settings, says, code }) => {
  const state = stateFolder();
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

test('who did not start is no member and holds no lease', async () => {
  await using link = await openLink({
    servers: [nats.url],
    credentials: { kind: 'password', user: 'vcx', passwordFile: file('password') },
  });
  const leases = await (await openBucket(link, 'leases')).entries('>');
  const holders = leases.map(({ value }) => JSON.parse(Buffer.from(value ?? []).toString()));
  for (const held of holders) expect(held).toMatchObject({ holder: '' });
  await using pulse = await openPulse({ link });
  expect((await pulse.all()).filter(({ id }) => id !== pulse.id)).toEqual([]);
});

/** A host that has no broker to go to, with what it loads written to a file. */
function alone(rest: Record<string, string> = {}) {
  const state = stateFolder();
  const loaded = join(state, 'loaded');
  const program = runProgram(['start'], {
    CWD: state,
    NODE_OPTIONS: `--import=${new URL('../../support/loaded-modules.ts', import.meta.url).href}`,
    LOADED_MODULES: loaded,
    VCX_AMQP_URL: 'amqp://127.0.0.1:1',
    VCX_STATE_DIR: state,
    VCX_OPERATOR_PORT: '0',
    VCX_PLUGINS_FOLDERS: JSON.stringify([PROBES]),
    ...rest,
  });
  const shared = () =>
    readFileSync(loaded, 'utf8')
      .split('\n')
      .filter((url) => /@nats-io|\/host\/cluster\/|\/compose\/cluster\.ts/.test(url));
  return { program, shared };
}

test('a stop while the host waits for NATS ends it', async () => {
  const { program, shared } = alone({
    VCX_CLUSTER_SERVERS: '["nats://127.0.0.1:1"]',
    VCX_SECRETS_KEY: KEY,
  });
  await using _program = program;
  await program.says(/cluster\.connect_failed/);
  expect(shared().length).toBeGreaterThan(50);
  program.signal('SIGTERM');
  expect(await program.exited).toBe(0);
});

test('a host with no servers configured loads nothing of NATS, nor of what talks to it', async () => {
  const { program, shared } = alone();
  await using _program = program;
  await program.says(/host\.started/);
  program.signal('SIGTERM');
  expect(await program.exited).toBe(0);
  expect(shared()).toEqual([]);
});
