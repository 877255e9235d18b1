/** Three nats-servers with three copies of everything: one may die, and nothing that was acknowledged is lost. */
import { afterAll, beforeAll, expect, test } from 'vitest';

import { openLease } from '../../../host/cluster/leases.ts';
import { openBucket } from '../../../host/cluster/link/bucket.ts';
import { openLink } from '../../../host/cluster/link/link.ts';
import { codeOf } from '../../../host/kernel/errors.ts';
import { openNats, type NatsNode } from '../../../sdk/localcloud/nats.ts';
import { freePort } from '../../../sdk/localcloud/nodes/ports.ts';
import { SMALL } from '../../support/cluster/nats.ts';
import { waitFor } from '../../support/wait.ts';

let nodes: NatsNode[] = [];
beforeAll(async () => {
  const ports = [await freePort(), await freePort(), await freePort()];
  const routes = ports.map((port) => `nats://127.0.0.1:${port}`).join(', ');
  nodes = await Promise.all(
    ports.map((port) =>
      openNats({
        config: [`cluster: { name: test, listen: "127.0.0.1:${port}", routes: [${routes}] }`],
      }),
    ),
  );
});
afterAll(async () => {
  for (const node of nodes) await node[Symbol.asyncDispose]();
});

const open = (prefix: string, replicas = 3) =>
  openLink({ servers: nodes.map(({ url }) => url), prefix, replicas, bytes: SMALL });

test('of many that write the same key at once one wins, whichever server they are connected to', async () => {
  const links = await Promise.all([open('cas'), open('cas'), open('cas'), open('cas')]);
  const buckets = [];
  for (const link of links) buckets.push(await openBucket(link, 'kv'));
  for (let round = 0; round < 50; round += 1) {
    const key = `d.k${round}`;
    const made = await Promise.all(buckets.map((bucket) => bucket.replace(key, 'v', 0)));
    const winners = made.filter((revision) => revision !== null);
    expect(winners).toHaveLength(1);
    const next = await Promise.all(
      buckets.map((bucket) => bucket.replace(key, 'w', winners[0] ?? -1)),
    );
    const last = next.find((revision) => revision !== null) ?? -1;
    expect(next.filter((revision) => revision !== null)).toEqual([last]);
    const gone = await Promise.all(buckets.map((bucket) => bucket.mark(key, last)));
    expect(gone.filter((revision) => revision !== null)).toHaveLength(1);
    // Over the marker of a removed key, too.
    const anew = await Promise.all(buckets.map((bucket) => bucket.replace(key, 'v', 0)));
    expect(anew.filter((revision) => revision !== null)).toHaveLength(1);
  }
  for (const link of links) await link[Symbol.asyncDispose]();
});

test('a server that dies takes nothing with it: writes go on, the watch follows, the lease stays single', async () => {
  await using link = await open('dies');
  await using other = await open('dies');
  const bucket = await openBucket(link, 'kv');
  const seen = new Set<string>();
  using watch = bucket.watch('>', { entry: ({ key }) => void seen.add(key) });
  await watch.loaded;
  await using first = await openLease({ link, name: 'l', holder: 'a', ttlMs: 3_000 });
  await using second = await openLease({ link: other, name: 'l', holder: 'b', ttlMs: 3_000 });
  let both = 0;
  const timer = setInterval(() => (both += Number(first.held && second.held)), 1);
  const acknowledged: string[] = [];
  const write = async (name: string) => {
    await bucket.put(name, 'v').then(
      () => acknowledged.push(name),
      (error: unknown) => expect(codeOf(error)).toBe('CLUSTER_UNAVAILABLE'),
    );
  };
  for (let i = 0; i < 20; i += 1) await write(`before${i}`);
  await nodes.find(({ port }) => link.status().server?.endsWith(`:${port}`))?.kill();
  for (let i = 0; acknowledged.length < 60; i += 1) {
    await write(`after${i}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await waitFor(() => acknowledged.every((name) => seen.has(name)));
  const there = new Set((await bucket.entries('>')).map(({ key }) => key));
  expect(acknowledged.filter((name) => !there.has(name))).toEqual([]);
  await waitFor(() => first.held || second.held);
  clearInterval(timer);
  expect(both).toBe(0);
  for (const node of nodes) await node.start();
});

test('more copies than there are servers are a configuration error', async () => {
  await using node = await openNats();
  await using link = await openLink({ servers: [node.url], replicas: 3, bytes: SMALL });
  const error = await openBucket(link, 'kv').catch((thrown: unknown) => thrown);
  expect(codeOf(error)).toBe('CONFIG_INVALID');
});
