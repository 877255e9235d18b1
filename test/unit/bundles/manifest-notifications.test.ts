/** Notifications in the manifest: what may stand there, what it means, and what an operator should look at. */
import { readFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';

import { parseManifest } from '../../../host/bundles/manifest/manifest.ts';
import {
  BLOCKING_TASK_CREATED,
  isBroad,
  subscriptionRemarks,
  subscriptionsOf,
} from '../../../host/bundles/manifest/notifications.ts';

const hello = JSON.parse(
  readFileSync(new URL('../../../plugins/hello/plugin.json', import.meta.url), 'utf8'),
) as Record<string, unknown>;
const ORG = '70000000-0000-4000-8000-000000000001';
const blockingTasks = { operations: ['vdcInstantiateVapp'], onFailure: 'resume' };

describe('the keys', () => {
  test('are optional, and have defaults', () => {
    expect(parseManifest(hello)).toMatchObject({
      notifications: [],
      notificationDelivery: { ordered: true, maxAttempts: 5 },
    });
    expect(
      parseManifest({ ...hello, notifications: [{ types: ['vm.*'] }], blockingTasks }),
    ).toMatchObject({
      notifications: [{ types: ['vm.*'], success: 'only' }],
      blockingTasks: { decideWithinMs: 60_000 },
    });
  });

  test.each([
    [
      'a pattern that can not be one',
      { notifications: [{ types: ['vm create'] }] },
      'notifications.0.types.0',
    ],
    ['two open ends', { notifications: [{ types: ['#.vm.#'] }] }, 'at most once'],
    ['no type at all', { notifications: [{ types: [] }] }, 'notifications.0.types'],
    ['an org by its name', { notifications: [{ types: ['vm.#'], orgs: ['acme'] }] }, 'orgs.0'],
    ['a typing error', { notifications: [{ types: ['vm.#'], sucess: 'both' }] }, '"success"'],
    ['too many attempts', { notificationDelivery: { maxAttempts: 21 } }, 'maxAttempts'],
    ['an unknown option', { notificationDelivery: { order: true } }, 'known are ordered'],
    ['a policy without a last word', { blockingTasks: { operations: ['a'] } }, 'onFailure'],
    ['no operation', { blockingTasks: { ...blockingTasks, operations: [] } }, 'operations'],
    [
      'no time to decide',
      { blockingTasks: { ...blockingTasks, decideWithinMs: 0 } },
      'decideWithinMs',
    ],
  ])('refuse %s, naming the place', (_, changes, expected) => {
    expect(() => parseManifest({ ...hello, ...changes })).toThrow(
      expect.objectContaining({
        code: 'BUNDLE_INVALID',
        message: expect.stringContaining(expected),
      }),
    );
  });
});

test.each([
  ['nothing else', [], 1],
  ['other events', [{ types: ['vm.#'] }], 2],
  ['the event for some orgs', [{ types: ['blockingtask.#'], orgs: [ORG], success: 'both' }], 2],
  ['the event where it succeeded', [{ types: ['blockingtask.#'] }], 2],
  ['every event', [{ types: ['#'], success: 'both' }], 1],
])('who decides on operations hears of them all: beside %s', (_, notifications, count) => {
  const manifest = parseManifest({ ...hello, notifications, blockingTasks });
  const all = subscriptionsOf(manifest);
  expect(all).toHaveLength(count);
  if (count > notifications.length)
    expect(all.at(-1)).toEqual({ types: [BLOCKING_TASK_CREATED], success: 'both' });
  expect(subscriptionsOf(parseManifest({ ...hello, notifications }))).toHaveLength(
    notifications.length,
  );
});

test.each([
  ['#', true],
  ['com/#', true],
  ['com/vmware/vcloud/event/#', true],
  ['com.vmware.vcloud.event.*.create', true],
  ['*.create', true],
  ['com/vmware/vcloud/event/vm/#', false],
  ['vm.#', false],
  ['vm.create', false],
  ['com/example/#', false],
  ['org/example/backup/create', false],
])('%s is broad: %s', (pattern, broad) => {
  expect(isBroad(pattern)).toBe(broad);
});

test('patterns that match too much, or nothing that vCloud documents, are remarked on and not refused', () => {
  const types = ['#', 'vm.create', 'vApp.create', 'vm/create', 'spaceship.land', 'org/example/a'];
  const remarks = subscriptionRemarks(parseManifest({ ...hello, notifications: [{ types }] }));
  expect(remarks).toEqual([
    expect.stringContaining('#: matches nearly every event'),
    expect.stringMatching(/^vApp\.create: .*but of vapp$/),
    expect.stringMatching(/^vm\/create: not below com\/vmware/),
    expect.stringMatching(/^spaceship\.land: vCloud documents no events/),
  ]);
});
