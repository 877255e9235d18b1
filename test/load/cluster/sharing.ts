/** One host answers for another, and one that is cut off from NATS harms nobody. */
import { expect, test } from 'vitest';

import { signedBundle } from '../../support/plugins/bundles.ts';
import { askAll, DEMO, deploy, liveAt } from '../../support/cluster/deploys.ts';
import { codesOf, holds, lastTime, onNats, type Trio } from '../../support/cluster/trio.ts';
import type { ClusterHost } from '../../support/cluster/world.ts';
import { waitFor } from '../../support/wait.ts';

export const PROBE = { method: 'GET', key: 'probe', path: '/api/probe/echo' } as const;

export function sharingCases(trio: () => Trio): void {
  test('an id that comes again is answered by every host from the shared journal, and runs once', async () => {
    const { world, hosts } = trio();
    const org = crypto.randomUUID();
    const replies = await askAll(world, hosts, { org, id: crypto.randomUUID() });
    expect(new Set(replies.map(({ status, body }) => `${status} ${body}`)).size).toBe(1);
    expect(JSON.parse(replies[0]?.body ?? '')).toMatchObject({ runs: 1 });
    const counted = await askAll(world, hosts, { org, method: 'GET' });
    expect(new Set(counted.map(({ body }) => body))).toEqual(new Set(['{"ran":1,"twice":[]}']));
  });

  test('what a plug-in keeps through one host is there through all', async () => {
    const { world, hosts } = trio();
    const org = crypto.randomUUID();
    const sent = (await askAll(world, hosts, { org })).length;
    const counted = await askAll(world, hosts, { org, method: 'GET' });
    expect(new Set(counted.map(({ body }) => (JSON.parse(body) as { ran: number }).ran))).toEqual(
      new Set([sent]),
    );
  });

  test('a host that is cut off from NATS alone answers what needs no shared state, the rest with a coded 503', async () => {
    const { world, hosts, proxy } = trio();
    const [cut, b, c] = hosts as [ClusterHost, ClusterHost, ClusterHost];
    const version = `0.1.${Date.now()}`;
    const from = cut.lines.length;
    const held = await holds(cut);
    {
      using _frozen = proxy.freezeAll();
      const org = crypto.randomUUID();
      expect(codesOf(await askAll(world, hosts, PROBE))).toEqual(new Set(['200']));
      expect(codesOf(await askAll(world, hosts, { org }))).toEqual(
        new Set(['200', '503 JOURNAL_UNAVAILABLE']),
      );
      const read = codesOf(await askAll(world, hosts, { org, method: 'GET' }));
      expect(read).toEqual(new Set(['200', '503 CLUSTER_UNAVAILABLE']));
      await waitFor(
        async () => (await holds(b)) || (await holds(c)),
        () => 'another registrar',
      );
      expect(await holds(cut)).toBe(false);
      if (held) {
        const taken = Math.max(...[b, c].map((host) => lastTime(host, 'lease.taken') || 0));
        expect(taken).toBeGreaterThanOrEqual(lastTime(cut, 'lease.lost'));
      }
      const reason = async () => (await cut.readiness()).dependencies['cluster']?.reason ?? '';
      await waitFor(async () => (await reason()).startsWith('CLUSTER_UNAVAILABLE'));
      await deploy([b, c], b, {
        bundle: signedBundle({ key: world.owner.key, version }),
        version,
      });
      expect(codesOf(await askAll(world, hosts, PROBE))).toEqual(new Set(['200']));
    }
    await liveAt(cut, version, from);
    await waitFor(() => onNats(cut));
    expect(codesOf(await askAll(world, hosts, {}))).toEqual(new Set(['200']));
    expect(codesOf(await askAll(world, hosts, DEMO))).toEqual(new Set(['200']));
    const holders = await Promise.all(hosts.map((host) => holds(host)));
    expect(holders.filter(Boolean)).toHaveLength(1);
  });
}
