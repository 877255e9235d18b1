/** A host whose clock is wrong. */
import { expect, test } from 'vitest';

import { signedBundle } from '../../support/plugins/bundles.ts';
import { askAll, DEMO, liveAt, stateOf } from '../../support/cluster/deploys.ts';
import { codesOf, holds, type Trio } from '../../support/cluster/trio.ts';
import { waitFor } from '../../support/wait.ts';
import { PROBE } from './sharing.ts';

export function skewCases(trio: () => Trio): void {
  test('a host whose clock is an hour ahead works with the others: calls, deploys, leases', async () => {
    const { world } = trio();
    const preload = new URL('../../support/cluster/skewed-clock.ts', import.meta.url);
    await using skewed = await trio().start('skewed', { preload });
    const hosts = [...trio().hosts, skewed];
    await skewed.ready();
    const { version: before } = await stateOf(hosts[0] ?? skewed);
    expect(await stateOf(skewed)).toMatchObject({ version: before });
    // The first calls look late to it; five of them are needed to tell a wrong clock from slow calls.
    await waitFor(async () => {
      world.client.send(PROBE);
      const { dependencies } = await skewed.readiness();
      return dependencies['clock']?.reason?.startsWith('CLOCK_SKEW') ?? false;
    });
    const org = crypto.randomUUID();
    const replies = await askAll(world, hosts, { org, id: crypto.randomUUID() });
    expect(codesOf(replies)).toEqual(new Set(['200']));
    expect(JSON.parse(replies[0]?.body ?? '')).toMatchObject({ runs: 1 });
    const version = `9.0.${Date.now()}`;
    const bundle = signedBundle({ key: world.owner.key, version });
    expect((await skewed.api('POST', '/plugins', bundle)).status).toBe(201);
    await Promise.all(hosts.map((host) => liveAt(host, version)));
    expect(codesOf(await askAll(world, hosts, DEMO))).toEqual(new Set(['200']));
    const { members } = (await skewed.api('GET', '/cluster')).body as {
      members: { alive: boolean }[];
    };
    expect(members.filter(({ alive }) => alive)).toHaveLength(hosts.length);
    expect(await holds(skewed)).toBe(false);
  });
}
