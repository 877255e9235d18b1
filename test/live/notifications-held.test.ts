/** Operations that vCloud holds: a plug-in decides, or the policy of its manifest does, before vCloud's own time-out. */
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openCloud, type Cloud } from '../support/cloud.ts';
import { EXAMPLES, openLive, type Live } from '../support/live.ts';
import { askOperator } from '../support/operator.ts';
import { waitFor } from '../support/wait.ts';

const LISTENERS = fileURLToPath(new URL('../support/listeners', import.meta.url));

/** Which operations vCloud holds it is told only after the start. */
async function held(live: Live): Promise<void> {
  await waitFor(
    () => live.lines.some((line) => line.includes('"blocking.settings"')),
    () => JSON.stringify(live.host.health()),
  );
  await waitFor(() => live.host.health().dependencies['notifications']?.ok === true);
}

describe('approval', () => {
  let live: Live;
  let cloud: Cloud;
  beforeAll(async () => {
    live = await openLive({ folders: [EXAMPLES] });
    cloud = openCloud(live);
    await held(live);
  });
  afterAll(() => live?.[Symbol.asyncDispose]());

  /** Of alice's org, as it is told to her. */
  async function quota(): Promise<{ quota: number; used: number }> {
    const alice = await cloud.as('alice@acme');
    const answer = await alice.get(`/api/org/${cloud.orgId('acme')}/vAppQuota`);
    return answer.json() as { quota: number; used: number };
  }

  test('lets a vApp through while there is room, and aborts the next one with the reason', async () => {
    const path = `PUT /api/v1/plugins/approval/tenants/${cloud.orgId('acme')}/config`;
    const { used } = await quota();
    expect((await askOperator(live.host, path, { vApps: used + 1 })).status).toBe(204);
    const first = await cloud.ended('acme', await cloud.instantiate('acme', 'first'));
    expect(first).toContain('status="success"');
    const second = await cloud.ended('acme', await cloud.instantiate('acme', 'second'));
    expect(second).toContain('status="aborted"');
    expect(second).toContain(`The organization has its ${used + 1} vApps`);
    expect(await quota()).toMatchObject({ quota: used + 1, used: used + 1 });
  });

  test('of an org that does not have it, vApps are held and go on at once', async () => {
    const orgs = [cloud.orgId('acme')];
    await askOperator(live.host, 'PUT /api/v1/plugins/approval/tenants', { orgs });
    const task = await cloud.ended('globex', await cloud.instantiate('globex', 'elsewhere'));
    expect(task).toContain('status="success"');
    expect(live.lines.some((line) => line.includes('"blocking.ended"'))).toBe(true);
  });
});

describe('a handler that does not decide', () => {
  let live: Live;
  let cloud: Cloud;
  beforeAll(async () => {
    // vCloud itself would say `fail`.
    live = await openLive({
      folders: [LISTENERS],
      settings: {
        VCX_VCLOUD_BLOCKING_TASKS_TIMEOUT_MS: '8000',
        VCX_VCLOUD_BLOCKING_TASKS_TIMEOUT_ACTION: 'fail',
        VCX_NOTIFICATIONS_RETRY_MS: '[200, 400]',
      },
    });
    cloud = openCloud(live);
    await held(live);
  });
  afterAll(() => live?.[Symbol.asyncDispose]());

  test.each(['throws', 'hangs', 'returns'])(
    'and %s leaves the operation to the policy, in time',
    async (name) => {
      const task = await cloud.ended('acme', await cloud.instantiate('acme', name));
      expect(task).toContain('status="aborted"');
      expect(task).toContain('The plug-in undecided');
    },
  );

  test('since its runners are killed again and again leaves the operation to the policy as well', async () => {
    const task = await cloud.instantiate('acme', 'hangs too');
    const began = () =>
      live.host.logbook.read({ plugin: 'undecided', limit: 10 }).length > 0 ||
      live.host.runnerPids().length > 0;
    await waitFor(began);
    const killing = setInterval(() => {
      for (const pid of live.host.runnerPids()) process.kill(pid, 'SIGKILL');
    }, 150);
    try {
      expect(await cloud.ended('acme', task)).toContain('status="aborted"');
    } finally {
      clearInterval(killing);
    }
  });
});
