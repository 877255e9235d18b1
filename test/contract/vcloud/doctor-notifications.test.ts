/** `vcx doctor` about events: whether they come at all, and whether all that is held has somebody who decides. */
import { expect, test } from 'vitest';

import { parseManifest } from '../../../host/bundles/manifest/manifest.ts';
import { examineNotifications } from '../../../host/cli/doctor/notifications.ts';
import { readConfig } from '../../../host/config.ts';
import { createBlockingVcloud } from '../../support/vcloud/blocking-vcloud.ts';
import { manifestOf } from '../../support/plugins/bundles.ts';

const listener = parseManifest(
  manifestOf({
    notifications: [{ types: ['vm.#'] }],
    blockingTasks: { operations: ['vdcInstantiateVapp'], onFailure: 'resume' },
  }),
);
const deaf = parseManifest(manifestOf());
const held = (...names: string[]) => ({
  TaskOperationType: names.map((Operation) => ({ Operation })),
});

function open(exchanges: readonly string[] = ['systemExchange', 'east.notifications20']) {
  const vcloud = createBlockingVcloud();
  const config = readConfig({ VCX_NOTIFICATIONS_EXCHANGES: JSON.stringify(exchanges) }, '/');
  const examine = async (manifests = [listener]) =>
    (await examineNotifications(config, vcloud.client, manifests)).map(
      ({ check, state, detail, fix }) => `${state} ${check}: ${detail} -> ${fix}`,
    );
  const hold = (...names: string[]) => {
    vcloud.settings = { ...vcloud.settings, BlockingTaskOperations: held(...names) };
  };
  return { vcloud, examine, hold };
}

test('what is as it should be is found so', async () => {
  const { examine, hold } = open();
  hold('vdcInstantiateVapp');
  expect(await examine()).toEqual([
    expect.stringMatching(/^ok notifications.switch/),
    expect.stringMatching(/^ok notifications.exchange: systemExchange, east.notifications20/),
    expect.stringMatching(/^ok blocking-tasks: holds vdcInstantiateVapp, time-out 3600000 ms/),
  ]);
});

test('a vCloud that publishes nothing, or to another exchange, is named with the fix', async () => {
  const { vcloud, examine } = open(['vcloudEvents']);
  vcloud.publishes = false;
  expect(await examine()).toEqual([
    expect.stringMatching(/^failed notifications.switch: .*hear nothing -> enable/),
    expect.stringMatching(
      /^failed notifications.exchange: .*vcloudEvents.*-> set notifications.exchanges to \[systemExchange\]/,
    ),
    expect.stringMatching(/^warning blocking-tasks: .*does not hold.*-> vcx register apply/),
  ]);
});

test('an operation that is held and that nobody here decides on is named, also where nobody listens', async () => {
  const { vcloud, examine, hold } = open();
  hold('vdcInstantiateVapp', 'importMedia');
  expect((await examine()).at(-1)).toMatch(
    /^warning .*importMedia.*vcx register release importMedia/,
  );
  const sent = vcloud.sent.length;
  expect(await examine([deaf])).toEqual([
    expect.stringMatching(/vcx register release vdcInstantiateVapp importMedia/),
  ]);
  expect(vcloud.sent.length).toBe(sent + 1);
});

test('an account that may not look is told so, and what fails is no defect', async () => {
  const { vcloud, examine } = open();
  vcloud.failWith(403);
  expect((await examine()).every((line) => line.startsWith('skipped'))).toBe(true);
  vcloud.failWith(503);
  expect((await examine()).every((line) => line.startsWith('failed'))).toBe(true);
});
