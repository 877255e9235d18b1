/** Operations that vCloud holds: a plug-in decides, or the policy of its manifest does, before vCloud's own time-out. */
import { expect, test } from 'vitest';

import { askOperator } from '../../support/operator/operator.ts';
import { waitFor } from '../../support/wait.ts';
import type { World } from './world.ts';

export function heldCases(world: () => World): void {
  /** Of alice's org, as it is told to her. */
  async function quota(): Promise<{ quota: number; used: number }> {
    const { cloud } = world();
    const alice = await cloud.as('alice@acme');
    const answer = await alice.get(`/api/org/${cloud.orgId('acme')}/vAppQuota`);
    return answer.json() as { quota: number; used: number };
  }

  test('approval lets a vApp through while there is room, and aborts the next one with the reason', async () => {
    const { live, cloud } = world();
    // Which operations vCloud holds it is told only after the start.
    await waitFor(() => live.lines.some((line) => line.includes('"blocking.settings"')));
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

  test('of an org without a plug-in for them, they are held and go on at once', async () => {
    const { live, cloud, give } = world();
    await give('approval', [cloud.orgId('acme')]);
    const task = await cloud.ended('globex', await cloud.instantiate('globex', 'elsewhere'));
    expect(task).toContain('status="success"');
    expect(task).toContain('No plug-in decides');
    expect(live.lines.some((line) => line.includes('"blocking.ended"'))).toBe(true);
  });

  /** Make vApps of these names, and have them deleted, which `undecided` should decide on; gives the tasks. */
  async function deletions(...names: string[]): Promise<string[]> {
    const { cloud } = world();
    const made = await Promise.all(names.map((name) => cloud.instantiate('globex', name)));
    const done = await Promise.all(made.map((task) => cloud.ended('globex', task)));
    return Promise.all(done.map((task) => cloud.remove('globex', task)));
  }

  test('a handler that throws, hangs or just returns leaves them to the policy, in time', async () => {
    const { cloud } = world();
    for (const task of await deletions('throws', 'hangs', 'returns')) {
      const text = await cloud.ended('globex', task);
      expect(text).toContain('status="aborted"');
      expect(text).toContain('The plug-in undecided');
    }
  });

  test('so does one whose runners are killed again and again', async () => {
    const { live, cloud } = world();
    const [task = ''] = await deletions('hangs too');
    const killing = setInterval(() => {
      for (const pid of live.host.runnerPids()) process.kill(pid, 'SIGKILL');
    }, 150);
    try {
      expect(await cloud.ended('globex', task)).toContain('status="aborted"');
    } finally {
      clearInterval(killing);
    }
  });
}
