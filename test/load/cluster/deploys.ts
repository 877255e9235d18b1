/** Versions over three hosts: live on all, stopped for all, never half. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';

import { Objm } from '@nats-io/obj';
import { expect, test } from 'vitest';

import { readBundle } from '../../../host/bundles/archive/bundle.ts';
import { openLink } from '../../../host/cluster/link/link.ts';
import { percentile } from '../../bench/figures.ts';
import {
  ownerOf,
  signedBundle,
  type TestOwner,
  trustFileOf,
} from '../../support/plugins/bundles.ts';
import { ms } from '../../support/chaos/figures.ts';
import {
  askAll,
  DEMO,
  deploy,
  largeBundle,
  stateOf,
  upload,
} from '../../support/cluster/deploys.ts';
import type { Trio } from '../../support/cluster/trio.ts';
import type { ClusterHost } from '../../support/cluster/world.ts';
import { waitFor } from '../../support/wait.ts';

/** `npm run chaos` measures with more. */
const DEPLOYS = process.env['CHAOS_CYCLES'] ? 30 : 3;

export function deployCases(trio: () => Trio): void {
  const signed = (version: string, handler?: string) =>
    signedBundle({
      key: trio().world.owner.key,
      version,
      ...(handler !== undefined && { handler }),
    });
  const bodies = async (org?: string) => {
    const { world, hosts } = trio();
    const replies = await askAll(world, hosts, { ...DEMO, ...(org && { org }) });
    return new Set(replies.map(({ body }) => body));
  };
  const versionsLive = async () =>
    (await Promise.all(trio().hosts.map(stateOf))).map((one) => one.version);
  const everywhere = (version: string) =>
    waitFor(
      async () => (await versionsLive()).every((one) => one === version),
      () => `${version} on all`,
    );
  const three = () => trio().hosts as [ClusterHost, ClusterHost, ClusterHost];

  test('a version that is deployed through any host is live on all, which answer calls with it', async () => {
    const { world, hosts, figures } = trio();
    const times: number[] = [];
    for (let turn = 0; turn < DEPLOYS; turn += 1) {
      const version = `1.0.${turn}`;
      const bundle = largeBundle(world.owner, version);
      const through = hosts[turn % hosts.length] as ClusterHost;
      times.push(await deploy(hosts, through, { bundle, version }));
    }
    figures.add(
      `200 KB bundle, upload to live on three hosts, ${DEPLOYS} times`,
      'p99 1000 ms',
      `p50 ${ms(percentile(times, 0.5))}, p99 ${ms(percentile(times, 0.99))}`,
    );
    expect(await bodies()).toEqual(new Set([`1.0.${DEPLOYS - 1}`]));
  });

  test('of two operators that deploy through two hosts at once, each is told the truth, and all hosts agree', async () => {
    const [a, b] = three();
    const answers = await Promise.all([upload(a, signed('1.1.0')), upload(b, signed('1.1.1'))]);
    const codes = answers.map(({ status, body }) => body['code'] ?? status).toSorted();
    expect([201, 'PLUGIN_CHANGED', 'BUNDLE_DOWNGRADE']).toEqual(expect.arrayContaining(codes));
    const { current, versions } = (await a.api('GET', '/plugins/demo')).body as {
      current: string;
      versions: { version: string }[];
    };
    // Whoever was told that it is live has it kept, at least.
    const told = ['1.1.0', '1.1.1'].filter((_, index) => answers[index]?.status === 201);
    expect(versions.map(({ version }) => version)).toEqual(expect.arrayContaining(told));
    expect(['1.1.0', '1.1.1']).toContain(current);
    await everywhere(current);
  });

  const trust = (
    host: ClusterHost,
    owners: readonly TestOwner[],
    revoked: readonly string[] = [],
  ) => writeFileSync(host.trustFile, JSON.stringify(trustFileOf(owners, revoked)));

  test.each([
    {
      why: 'does not have the key',
      version: '2.0.0',
      distrust: (host: ClusterHost) => trust(host, [ownerOf()]),
      reason: /no owner|key/i,
    },
    {
      why: 'revoked the bundle',
      version: '2.1.0',
      distrust: (host: ClusterHost, digest: string) => trust(host, [trio().world.owner], [digest]),
      reason: /revoked/i,
    },
  ])(
    'a host that $why stops the roll-out: the version before is back on all, and host and reason are told',
    async ({ version, distrust, reason }) => {
      const [a, , c] = three();
      const before = (await stateOf(a)).version;
      const bundle = signed(version);
      distrust(c, readBundle(bundle).digest);
      const { status, body } = await upload(a, bundle);
      // The host that was asked hears of it before or after it has the version live itself.
      if (status !== 201) expect(String(body['message'])).toMatch(reason);
      await everywhere(before);
      for (const host of three()) {
        const shown = (await host.api('GET', '/plugins/demo')).body;
        expect(shown).toMatchObject({ current: before, state: 'live' });
        if (host !== c)
          expect(shown['reason']).toMatch(new RegExp(`${version} was stopped at c: `));
        expect(shown['reason']).toMatch(reason);
      }
      // One that had it live may still have been about to go back when the others were asked.
      await waitFor(
        async () => [...(await bodies())].join() === before,
        () => `${before} from all`,
      );
      trust(c, [trio().world.owner]);
    },
  );

  test('a host that can load no version of a plug-in leaves its calls to those that can', async () => {
    const { world } = trio();
    await using poor = await world.start('poor', { trusts: [ownerOf()] });
    await poor.ready();
    expect((await stateOf(poor)).version).toBe('none');
    const statuses = new Set<number>();
    for (let call = 0; call < 12; call += 1) statuses.add((await world.client.ask(DEMO)).status);
    expect([...statuses]).toEqual([200]);
  });

  test('settings, secrets and pins of an org that are set through one host hold on all', async () => {
    const { world, hosts } = trio();
    const [a, b, c] = three();
    const org = crypto.randomUUID();
    const before = (await stateOf(a)).version;
    const bundle = signedBundle({
      key: world.owner.key,
      version: '4.0.0',
      handler: 'return new Response(await env.secrets.get("word"))',
      manifest: { bindings: ['secrets'] },
    });
    expect((await a.api('POST', '/plugins?approve=1', bundle)).status).toBe(201);
    await everywhere('4.0.0');
    const tenant = `/plugins/demo/tenants/${org}`;
    expect((await b.api('PUT', `${tenant}/secrets/word`, { value: 'shared' })).status).toBe(204);
    await waitFor(async () => [...(await bodies(org))].join() === 'shared');
    expect((await c.api('PUT', `${tenant}/version`, { version: before })).status).toBe(204);
    await waitFor(
      async () => [...(await bodies(org))].join() === before,
      () => 'the pin on all',
    );
    const orgs = [crypto.randomUUID()];
    expect((await a.api('PUT', '/plugins/demo/tenants', { orgs })).status).toBe(204);
    await waitFor(
      async () =>
        (await askAll(world, hosts, { ...DEMO, org })).every(({ status }) => status === 404),
      () => '404 from all',
    );
    expect((await b.api('PUT', '/plugins/demo/tenants', { orgs: 'all' })).status).toBe(204);
  });

  test('a bundle whose bytes were altered in the store is not loaded: its version before goes on', async () => {
    const { world, hosts } = trio();
    const [a, b] = three();
    const bundle = signed('5.0.0');
    await deploy(hosts, a, { bundle, version: '5.0.0' });
    await deploy(hosts, a, { bundle: signed('5.1.0'), version: '5.1.0' });
    await using link = await openLink({ servers: [world.nats.url] });
    const objects = await new Objm(link.client).open('vcx_bundles');
    const name = createHash('sha256').update(bundle).digest('hex');
    await objects.putBlob({ name }, signed('5.2.0'));
    const to = { version: '5.0.0' };
    const { status, body } = await b.api('POST', '/plugins/demo/rollback', to);
    expect([status, body['code']]).toEqual([500, 'STORE_BLOB_ALTERED']);
    expect(await versionsLive()).toEqual(['5.1.0', '5.1.0', '5.1.0']);
  });
}
