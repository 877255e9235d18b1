/** Plug-ins come by upload and from a folder while a cell calls them, over a real broker. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { ownerOf, signedBundle, trustFileOf, type SignedSpec } from '../support/plugins/bundles.ts';
import { openChaosClient, type ChaosClient, type ChaosReply } from '../support/chaos/client.ts';
import { cellClient } from '../support/client.ts';
import { openLive, PROBES, type Live } from '../support/live.ts';
import { waitFor } from '../support/wait.ts';

const SWAPS = 50;
const CALLS_A_SECOND = 500;
const provider = ownerOf();
const demo = (version: string, more: Partial<SignedSpec> = {}) =>
  signedBundle({ key: provider.key, version, ...more });

let dir: string;
let inbox: string;
let live: Live;
let client: ChaosClient;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'vcx-swapped-'));
  inbox = join(dir, 'inbox');
  mkdirSync(inbox);
  const trustFile = join(dir, 'trust.json');
  writeFileSync(trustFile, JSON.stringify(trustFileOf([provider], [])));
  live = await openLive({
    folders: [PROBES],
    settings: { VCX_PLUGINS_TRUST_FILE: trustFile, VCX_PLUGINS_INBOX: inbox },
  });
  client = await openChaosClient(live.rabbit.url);
});
afterAll(async () => {
  await client?.[Symbol.asyncDispose]();
  await live?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

async function upload(bundle: Buffer): Promise<number> {
  const token = readFileSync(live.host.tokenFile, 'utf8').trim();
  const response = await fetch(`${live.host.operatorUrl}/api/v1/plugins`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/octet-stream' },
    body: new Uint8Array(bundle),
  });
  if (!response.ok) throw new Error(await response.text());
  return response.status;
}

/** What is published before there is a queue is lost: vCloud calls only what is registered by then. */
async function answering(): Promise<void> {
  await using scout = await openChaosClient(live.rabbit.url);
  await waitFor(() => {
    scout.send(spec);
    return [...scout.calls.values()].some(({ replies }) => replies.length > 0);
  });
}

const spec = { key: 'demo', method: 'GET', path: '/api/demo' };

/** What is wrong with a reply, or null: each comes wholly from one version. */
function flawOf({ status, body, headers }: ChaosReply): string | null {
  const named = Object.entries(headers).find(([name]) => name.toLowerCase() === 'x-version')?.[1];
  return status === 200 && body === named ? null : `${status} ${named} ${body.slice(0, 200)}`;
}

test('of 500 calls a second none fails while the plug-in is swapped 50 times, and each is answered by one version', async () => {
  expect(await upload(demo('1.0.0'))).toBe(201);
  await answering();
  const bundles = Array.from({ length: SWAPS }, (_, turn) => demo(`1.${turn + 1}.0`));
  const stop = client.load(CALLS_A_SECOND, () => spec);
  for (const bundle of bundles) expect(await upload(bundle)).toBe(201);
  stop();
  const calls = [...client.calls.values()];
  const account = await client.settle();
  const replies = calls.flatMap((call) => call.replies);
  expect(account.statuses).toEqual({ 200: account.sent });
  expect(replies.map(flawOf).filter((flaw) => flaw !== null)).toEqual([]);
  expect(account).toMatchObject({ lost: [], differing: [], cutOff: 0, once: account.sent });
  expect(account.sent).toBeGreaterThan(CALLS_A_SECOND);
  const versions = new Set(replies.map(({ body }) => body));
  expect(versions.size).toBeGreaterThan(SWAPS / 2);
  // Nothing is left of the old ones.
  await waitFor(
    async () => (await versionsRunning()).every((version) => version === `1.${SWAPS}.0`),
    () => 'old versions end',
  );
});

async function versionsRunning(): Promise<string[]> {
  const { sandbox } = await live.status();
  const { runners } = sandbox as { runners: { version: string | null }[] };
  return runners.flatMap(({ version }) => (version === null ? [] : [version]));
}

test('a bundle that is put into the watched folder answers through the cell', async () => {
  const manifest = {
    name: 'dropped',
    vcloud: {
      name: 'dropped',
      namespace: 'org.example.dropped',
      exchange: 'sdkext',
      routingKey: 'dropped',
      apiFilters: [{ urlPattern: '/api/dropped' }],
    },
    routes: [{ method: 'GET', path: '/api/dropped' }],
  };
  writeFileSync(join(inbox, 'dropped.vcx'), demo('1.0.0', { manifest }));
  const [org] = live.cells.orgs;
  const [user] = org?.users ?? [];
  const [cell] = live.cells.cells;
  if (!org || !user || !cell) throw new Error('a cell with a user is needed');
  const alice = await cellClient(cell.url, `${user.name}@${org.name}`, user.password);
  let answer = await alice.get('/api/dropped');
  await waitFor(
    async () => (answer = await alice.get('/api/dropped')).status === 200,
    () => `${answer.status} ${answer.text}`,
  );
  expect([answer.text, answer.headers.get('x-version')]).toEqual(['1.0.0', '1.0.0']);
});
