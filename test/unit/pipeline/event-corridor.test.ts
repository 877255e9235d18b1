import { expect, test } from 'vitest';

import type { Catalogue } from '../../../host/bundles/live/catalogue.ts';
import { HostError, type Code } from '../../../host/kernel/errors.ts';
import { decodeEvent } from '../../../host/message/notification/decode.ts';
import type { CloudEvent } from '../../../host/message/notification/event.ts';
import { orphanPolicy } from '../../../host/pipeline/notifications/address.ts';
import type { Outcome } from '../../../host/sandbox/sandbox.ts';
import { replied, USAGE } from '../../support/pipeline/corridor.ts';
import { ORG, testEvents } from '../../support/pipeline/event-corridor.ts';
import { eventMessage } from '../../support/pipeline/events.ts';

const fine = (): Outcome => replied({});
const failing = (code: Code): Outcome => ({ kind: 'failed', code, message: 'boom', usage: USAGE });
const CREATED = 'com/vmware/vcloud/event/blockingtask/create';
const held = {
  type: CREATED,
  entity: 'urn:vcloud:blockingTask:90000000-0000-4000-8000-00000000000b',
  taskName: 'vdcInstantiateVapp',
};
const DECIDES = {
  blockingTasks: { operations: ['vdcInstantiateVapp'], onFailure: 'abort' },
};

interface Sent {
  readonly handler: string;
  readonly body: string;
  readonly caller: { readonly org: string; readonly rights: readonly string[] };
  readonly notification: { readonly attempt: number };
}

test('an event reaches the handler as its org, and is acknowledged after the handler has returned', async () => {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const events = testEvents(() => promise);
  const sent = events.send();
  await new Promise((done) => setImmediate(done));
  expect(sent.settled()).toBe(false);
  const payload = JSON.parse(events.invocations[0]?.payload ?? '') as Sent;
  expect(payload).toMatchObject({
    handler: 'notification',
    caller: { org: ORG, rights: [] },
    notification: { attempt: 1 },
  });
  expect(JSON.parse(Buffer.from(payload.body, 'base64').toString())).toMatchObject({
    type: 'com/vmware/vcloud/event/vm/create',
    timestamp: '2011-06-18T11:33:27.787Z',
  });
  resolve(fine());
  expect(await sent.verdict).toEqual({ verb: 'ack' });
  expect(events.closed).toEqual(['returned']);
});

test('events of an org without the plug-in, and those that no subscription wants, end before it', async () => {
  const foreign = testEvents(fine, { tenancy: () => ({ enabled: false, version: null }) });
  expect(await foreign.send().verdict).toEqual({ verb: 'ack' });
  expect(await foreign.outcomes('foreign')).toBe(1);
  const unwanted = testEvents(fine);
  const changes = { type: 'com/vmware/vcloud/event/vapp/create' };
  expect(await unwanted.send(changes).verdict).toEqual({ verb: 'ack' });
  expect(await unwanted.outcomes('unwanted')).toBe(1);
  expect([...foreign.invocations, ...unwanted.invocations]).toEqual([]);
});

test('while the plug-in is away, or the version of the org, its events wait and none is lost', async () => {
  const events = testEvents(fine);
  events.catalogue.replace('listener', null);
  expect(await events.send().verdict).toEqual({ verb: 'defer', pauseMs: 30_000 });
  const stays = testEvents(fine, { tenancy: () => ({ enabled: true, version: '0.9.0' }) });
  expect(await stays.send().verdict).toMatchObject({ verb: 'defer' });
  expect([...events.invocations, ...stays.invocations]).toEqual([]);
});

test('an org gets the version that it stays with', async () => {
  const events = testEvents(fine, {
    tenancy: () => ({ enabled: true, version: '0.9.0' }),
    pinned: { version: '0.9.0', manifest: {} },
  });
  await events.send().verdict;
  expect(events.invocations[0]?.bundle.version).toBe('0.9.0');
});

test.each([
  ['no XML', Buffer.from('<a'), 'EVENT_INVALID'],
  ['no JSON', Buffer.from('{"eventId":'), 'EVENT_INVALID'],
  ['an entity bomb', Buffer.from('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'), 'EVENT_INVALID'],
  ['nothing at all', Buffer.alloc(0), 'EVENT_INVALID'],
  ['far too much', Buffer.alloc(1_048_577, '<'), 'EVENT_TOO_LARGE'],
])('%s is parked with its code and runs nothing', async (_, body, code) => {
  const events = testEvents(fine);
  const sent = events.accept({ routingKey: 'true.e.o.u.a', headers: {}, body });
  expect(await sent.verdict).toMatchObject({ verb: 'park', code });
  expect(events.invocations).toEqual([]);
  expect(await events.outcomes('unreadable')).toBe(1);
});

test('both forms of an event are handled once, also when they come at the same time', async () => {
  for (const ordered of [true, false]) {
    const events = testEvents(
      async () => {
        await new Promise((done) => setImmediate(done));
        return fine();
      },
      { manifest: { notificationDelivery: { ordered } } },
    );
    const both = [events.send({}, { form: 'xml' }), events.send({}, { form: 'json' })];
    expect(await Promise.all(both.map((sent) => sent.verdict))).toEqual([
      { verb: 'ack' },
      { verb: 'ack' },
    ]);
    expect(events.invocations).toHaveLength(1);
    expect(await events.outcomes('duplicate')).toBe(1);
  }
});

test('a handler that throws is tried again; the second form of the event is not tried as well', async () => {
  const events = testEvents(() => failing('PLUGIN_THREW'));
  const first = events.send({}, { form: 'xml' });
  const copy = events.send({}, { form: 'json' });
  expect(await first.verdict).toEqual({ verb: 'retry', reason: 'PLUGIN_THREW: boom' });
  expect(await copy.verdict).toEqual({ verb: 'ack' });
  expect(await events.send({}, { attempt: 2, firstSeenAt: 1 }).verdict).toMatchObject({
    verb: 'retry',
  });
  expect(events.invocations).toHaveLength(2);
  expect(events.closed).toEqual(['again', 'again']);
});

test('at the last attempt what it holds is given to the policy', async () => {
  const events = testEvents(() => failing('CPU_EXCEEDED'), {
    manifest: { notificationDelivery: { maxAttempts: 2 } },
    moved: () => ({ kind: 'parked', id: '1', code: 'EVENT_ATTEMPTS_EXHAUSTED' }),
  });
  await events.send({}, { attempt: 2, firstSeenAt: 1 }).verdict;
  await events.corridor.idle(AbortSignal.timeout(5_000));
  expect(events.closed).toEqual(['failed']);
  expect(events.lines.filter((line) => line.includes('"event.parked"'))).toHaveLength(1);
});

test('an org over its rate waits at the broker, the longer the more of it wait, and no attempt is counted', async () => {
  const events = testEvents(fine, { limits: { ratePerSecond: 2, burst: 1 } });
  const ids = Array.from({ length: 9 }, (_, i) => `e${i}`);
  const verdicts = [];
  for (const id of ids) {
    const entity = `urn:vcloud:vm:90000000-0000-4000-8000-00000000000${id.slice(1)}`;
    verdicts.push(await events.send({ eventId: id, entity }).verdict);
  }
  expect(verdicts[0]).toEqual({ verb: 'ack' });
  expect(verdicts[1]).toEqual({ verb: 'defer', pauseMs: 1_000 });
  expect(verdicts[8]).toEqual({ verb: 'defer', pauseMs: 4_000 });
  expect(events.invocations).toHaveLength(1);
  expect(events.closed.slice(1)).toEqual(Array(8).fill('again'));
});

test.each<[string, Outcome]>([
  ['no runner', failing('RUNNER_UNAVAILABLE')],
  ['a plug-in in quarantine', failing('PLUGIN_QUARANTINED')],
  ['a turn that came so late that its time was cut short', failing('WALL_EXCEEDED')],
])('%s counts as no attempt', async (_, outcome) => {
  const events = testEvents(() => outcome);
  expect(await events.send().verdict).toMatchObject({ verb: 'defer' });
});

test('a handler that had its whole wall time has failed', async () => {
  const outcome = { ...failing('WALL_EXCEEDED'), usage: { ...USAGE, wallMs: 5_000 } };
  const events = testEvents(() => outcome);
  expect(await events.send().verdict).toMatchObject({ verb: 'retry' });
});

test('when the broker does not take a failed event over, those of its entity wait behind it all the same', async () => {
  const events = testEvents(() => failing('PLUGIN_THREW'), {
    moved: () => ({ kind: 'failed', reason: 'no connection' }),
  });
  await events.send().verdict;
  await events.corridor.idle(AbortSignal.timeout(5_000));
  expect(await events.send({ eventId: 'next' }).verdict).toEqual({ verb: 'defer', pauseMs: 5_000 });
  expect(events.invocations).toHaveLength(1);
});

test('when vCloud is away a held operation is looked at again soon, without an attempt', async () => {
  const away = () => Promise.reject(new HostError('VCLOUD_UNAVAILABLE', 'away'));
  const events = testEvents(fine, { manifest: DECIDES, notifications: { begin: away } });
  expect(await events.send(held).verdict).toEqual({ verb: 'defer', pauseMs: 5_000 });
  expect(events.invocations).toEqual([]);
});

test('an operation of an org where nobody decides goes on', async () => {
  const nobody = testEvents(fine, {
    manifest: DECIDES,
    tenancy: () => ({ enabled: false, version: null }),
  });
  expect(await nobody.send(held).verdict).toEqual({ verb: 'ack' });
  expect(nobody.closed).toEqual(['passed']);
  const older = testEvents(fine, {
    manifest: DECIDES,
    tenancy: () => ({ enabled: true, version: '0.9.0' }),
    pinned: { version: '0.9.0', manifest: {} },
  });
  expect(await older.send(held).verdict).toEqual({ verb: 'ack' });
  expect(older.closed).toEqual(['passed']);
  const decides = testEvents(fine, { manifest: DECIDES });
  await decides.send(held).verdict;
  expect(decides.closed).toEqual(['returned']);
  const pass = () => Promise.reject(new HostError('VCLOUD_REFUSED', 'no'));
  const refused = testEvents(fine, {
    manifest: DECIDES,
    tenancy: () => ({ enabled: false, version: null }),
    notifications: { pass },
  });
  expect(await refused.send(held).verdict).toMatchObject({ verb: 'retry' });
});

test('an operation without a name is left to those who decide on one of ours, not to those of others', () => {
  const { event } = decodeEvent(eventMessage('json', { type: CREATED })) as { event: CloudEvent };
  expect(event.taskName).toBe(null);
  const deciding = (name: string, operation: string, orgHasIt: boolean) => ({
    orgHasIt,
    manifest: { name, blockingTasks: { operations: [operation], onFailure: 'abort' } },
  });
  const policyWith = (...live: readonly ReturnType<typeof deciding>[]) => {
    const of = (name: string) => live.find(({ manifest }) => manifest.name === name);
    const catalogue = {
      live,
      shelf: (name: string) => ({ current: of(name) }),
      versionFor: (name: string) => (of(name)?.orgHasIt ? of(name) : null),
    };
    return orphanPolicy(catalogue as unknown as Catalogue, 'ours', event);
  };
  const ours = (orgHasIt: boolean) => deciding('ours', 'vdcInstantiateVapp', orgHasIt);
  expect(policyWith(ours(true))).toBe(null);
  expect(policyWith(ours(false))).toMatchObject({ operations: ['vdcInstantiateVapp'] });
  const other = deciding('other', 'vdcDeleteVapp', true);
  expect(policyWith(ours(false), other)).toMatchObject({ operations: ['vdcInstantiateVapp'] });
});

test('closing lets what is in work end, and everything else goes back to the broker', async () => {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const events = testEvents(() => promise);
  const [working, behind] = [events.send(), events.send({ eventId: 'second' })];
  await new Promise((done) => setImmediate(done));
  events.corridor.close();
  expect(await events.send({ eventId: 'third' }).verdict).toEqual({ verb: 'requeue' });
  resolve(fine());
  expect(await working.verdict).toEqual({ verb: 'ack' });
  expect(await behind.verdict).toEqual({ verb: 'requeue' });
  await events.corridor.idle(AbortSignal.timeout(5_000));
  expect(events.corridor.status()).toEqual({ inHand: 0, entities: 0 });
});

test('what key and headers say otherwise is counted, and one line is written, not one for each', async () => {
  const events = testEvents(fine);
  for (const eventId of ['a', 'b', 'c']) {
    const sent = events.send(
      { eventId },
      { headers: { 'notification.orgUUID': '70000000-0000-4000-8000-00000000000f' } },
    );
    await sent.verdict;
  }
  expect(await events.metrics.total('vcx_event_disagreements_total', { field: 'org' })).toBe(3);
  expect(events.lines.filter((line) => line.includes('"event.disagrees"'))).toHaveLength(1);
  // The body decides whose it is.
  expect(events.invocations.map(({ org }) => org)).toEqual([ORG, ORG, ORG]);
});
