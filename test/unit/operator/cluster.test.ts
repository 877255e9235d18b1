/** `GET /cluster`: what is well, what is not, and what other hosts tell that is not to be trusted. */
import { expect, test } from 'vitest';

import type { Member } from '../../../host/cluster/members.ts';
import { HostError } from '../../../host/kernel/errors.ts';
import type {
  ClusterSource,
  ClusterStatus,
  ClusterView,
} from '../../../host/operator/api/cluster.ts';
import { tokenDigest } from '../../../host/operator/identify.ts';
import { operatorApp } from '../../../host/operator/server.ts';
import { bundleOf } from '../../support/plugins/bundles.ts';
import { createOperatorParts, OPERATOR_TOKEN } from '../../support/operator/kit.ts';

type Shown = Extract<ClusterView, { configured: true }>;

const FINE: ClusterStatus = {
  reason: null,
  server: '127.0.0.1:4222',
  serverVersion: '2.9.10',
  reconnects: 0,
  full: [],
  id: 'id-a',
  leases: [
    { name: 'registrar', holder: 'id-a', held: true, token: 7 },
    { name: 'cleaner', holder: 'id-b', held: false, token: null },
  ],
};
const member = (letter: string, rest: Partial<Member> = {}, plugins?: unknown): Member => ({
  id: `id-${letter}`,
  about: { name: letter, pid: 1, ...(plugins === undefined ? {} : { plugins }) },
  silentMs: 300,
  alive: true,
  self: letter === 'a',
  ...rest,
});
const live = (version: string, rest = {}) => [
  { name: 'demo', version, state: 'live', reason: null, loadMs: 1, ...rest },
];

function source(members: readonly Member[], status: Partial<ClusterStatus> = {}): ClusterSource {
  return { status: () => ({ ...FINE, ...status }), members: async () => members };
}

/** With the bundle demo 1.0.0 installed for all. */
async function ask(cluster: ClusterSource | null, token = OPERATOR_TOKEN): Promise<Response> {
  await using kit = createOperatorParts();
  const operator = { who: 'operator', owner: null };
  await kit.options.admin.upload(bundleOf(), { approve: true }, operator);
  const app = operatorApp({ ...kit.options, cluster });
  const owner = { digest: tokenDigest('owner'), name: 'theirs', owner: 'acme', createdAt: 1 };
  await kit.options.tokens.add(owner, 'operator');
  return app.request('/api/v1/cluster', { headers: { Authorization: `Bearer ${token}` } });
}

async function show(cluster: ClusterSource): Promise<Shown> {
  return (await (await ask(cluster)).json()) as Shown;
}

test('a host that works alone says so; owners are told nothing', async () => {
  expect(await (await ask(null)).json()).toEqual({ configured: false });
  const refused = await ask(source([]), 'owner');
  expect([refused.status, await refused.json()]).toMatchObject([
    403,
    { code: 'OPERATOR_FORBIDDEN' },
  ]);
});

test('hosts that run what they should have no problems, and leases name their holders', async () => {
  const folder = { name: 'own', version: '9.0.0', state: 'live', reason: null };
  const view = await show(
    source([member('a', {}, [...live('1.0.0'), folder]), member('b', {}, live('1.0.0'))]),
  );
  expect(view).toMatchObject({
    configured: true,
    problems: [],
    link: { reason: null, serverVersion: '2.9.10' },
    leases: [
      { name: 'registrar', holder: 'a', held: true, token: 7 },
      { name: 'cleaner', holder: 'b', held: false, token: null },
    ],
  });
  expect(view.members[0]).toEqual({
    id: 'id-a',
    name: 'a',
    alive: true,
    replaced: false,
    silentMs: 300,
    self: true,
    about: { name: 'a', pid: 1 },
    plugins: [
      {
        name: 'demo',
        version: '1.0.0',
        wanted: '1.0.0',
        state: 'live',
        reason: null,
        behind: false,
      },
      { name: 'own', version: '9.0.0', wanted: null, state: 'live', reason: null, behind: false },
    ],
  });
});

test.each<[string, Member, string]>([
  [
    'is dead',
    member('b', { alive: false, silentMs: 61_000 }, live('1.0.0')),
    'b: dead: silent for 61 s',
  ],
  [
    'runs another version',
    member('b', {}, live('0.9.0', { reason: '1.0.0: no such key' })),
    'b: demo is live in 0.9.0, and should be live in 1.0.0: 1.0.0: no such key',
  ],
  [
    'could not load it',
    member('b', {}, live('1.0.0', { version: null, state: 'failed', reason: 'it threw' })),
    'b: demo is failed, and should be live in 1.0.0: it threw',
  ],
  [
    'could not load a pinned version of it',
    member('b', {}, live('1.0.0', { reason: '0.8.0: gone' })),
    'b: demo is live in 1.0.0: 0.8.0: gone',
  ],
  ['does not know of it', member('b', {}, []), 'b: demo is missing, and should be live in 1.0.0'],
  ['is just starting', member('b'), 'b: has not told yet what it runs'],
])('a host that %s is a problem', async (_, other, problem) => {
  const view = await show(source([member('a', {}, live('1.0.0')), other]));
  expect(view.problems).toEqual([problem]);
});

test('a dead host in whose place another of its name runs is none', async () => {
  const dead = member('b', { alive: false, silentMs: 61_000 }, live('1.0.0'));
  const again = { ...member('b', {}, live('1.0.0')), id: 'id-b2' };
  const view = await show(source([member('a', {}, live('1.0.0')), again, dead]));
  expect(view.problems).toEqual([]);
  expect(view.members.map(({ replaced }) => replaced)).toEqual([false, false, true]);
});

test('NATS that is away, and a bucket that is full, are said; the answer comes all the same', async () => {
  const reason = 'CLUSTER_UNAVAILABLE: disconnected';
  const away: ClusterSource = {
    status: () => ({ ...FINE, reason, full: ['vcx_kv'] }),
    members: () => Promise.reject(new HostError('CLUSTER_UNAVAILABLE', 'disconnected')),
  };
  expect(await show(away)).toMatchObject({
    problems: [`NATS: ${reason}`, 'NATS: vcx_kv is full'],
    members: [],
    leases: [{ holder: 'id-a' }, { holder: 'id-b' }],
  });
  const refused: ClusterSource = {
    ...away,
    status: () => FINE,
    members: () => Promise.reject(new HostError('CLUSTER_CREDENTIALS', 'no')),
  };
  expect((await show(refused)).problems).toEqual(['NATS: CLUSTER_CREDENTIALS: no']);
});

test('a defect is not shown as NATS being away', async () => {
  const broken = { status: () => FINE, members: () => Promise.reject(new Error('a secret')) };
  const answer = await ask(broken);
  expect([answer.status, await answer.json()]).toMatchObject([500, { code: 'INTERNAL' }]);
});

test.each<[unknown]>([
  [{ name: 1, plugins: 'x' }],
  [{ name: '', plugins: { length: 3 } }],
  [{ plugins: [null, 1, { name: 'demo' }, { name: {}, version: '1' }] }],
  [{ name: 'x', plugins: [{ name: '__proto__', version: '1', state: 'live', reason: null }] }],
])('what another host tells is only taken as it should be: %j', async (about) => {
  const odd = { ...member('b'), about: about as Member['about'] };
  const view = await show(source([member('a', {}, live('1.0.0')), odd]));
  expect(view.members).toHaveLength(2);
  expect(view.members[1]).toMatchObject({ id: 'id-b', name: expect.any(String) });
  expect(view.problems.length).toBeGreaterThan(0);
});
