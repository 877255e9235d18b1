import type { Channel } from 'amqplib';
import { expect, test } from 'vitest';

import { reconcileBindings } from '../../../host/broker/events/bindings.ts';
import { createMemoryBindings } from '../../../host/broker/events/memory-bindings.ts';
import {
  nearestPause,
  overfull,
  pauseAfter,
  pluginOf,
} from '../../../host/broker/events/queues.ts';
import { resolveOptions } from '../../../host/broker/options.ts';
import type { Prober } from '../../../host/broker/consume/prober.ts';
import type { Binding, KnownBindings, Subscription } from '../../../host/message/events.ts';

const queue = 'vcx.events.audit';
const bindings = (...patterns: string[]): Binding[] =>
  patterns.map((pattern) => ({ exchange: 'systemExchange', pattern }));

/** Writes down in order what the broker and the store are asked for. */
function recorder(refuse: (step: string) => boolean = () => false) {
  const steps: string[] = [];
  const note = (step: string) => {
    steps.push(step);
    if (refuse(step)) throw Object.assign(new Error('refused'), { code: 403 });
    return step;
  };
  const channel = {
    bindQueue: async (_queue: string, _exchange: string, pattern: string) =>
      note(`bind ${pattern}`),
    unbindQueue: async (_queue: string, _exchange: string, pattern: string) =>
      note(`unbind ${pattern}`),
  } as unknown as Channel;
  const prober: Prober = {
    async ask(question) {
      try {
        return { ok: true, value: await question(channel) };
      } catch {
        return { ok: false, fault: { code: 403, text: 'refused' } };
      }
    },
    reset: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
  const memory = createMemoryBindings();
  const known: KnownBindings = {
    ...memory,
    async get(name) {
      note('get');
      return memory.get(name);
    },
    async put(name, list) {
      note(`put ${list.map(({ pattern }) => pattern).join(' ')}`);
      await memory.put(name, list);
    },
  };
  return { steps, memory, task: { prober, known, queue } };
}

test('a binding is written down before it is made, and struck out after it was taken off', async () => {
  const { steps, task, memory } = recorder();
  await memory.put(queue, bindings('old', 'stays'));
  expect(await reconcileBindings(task, bindings('stays', 'new'), [])).toEqual([]);
  expect(steps).toEqual([
    'get',
    'put old stays new',
    'bind stays',
    'bind new',
    'unbind old',
    'put stays new',
  ]);
  steps.length = 0;
  await reconcileBindings(task, bindings('stays', 'new'), []);
  expect(steps).toEqual(['get', 'bind stays', 'bind new']);
});

test('what can not be taken off stays known, so that it is tried again', async () => {
  const { task, memory } = recorder((step) => step.startsWith('unbind'));
  await memory.put(queue, bindings('old'));
  expect(await reconcileBindings(task, bindings('new'), [])).toEqual([
    expect.stringMatching(/old.* stays bound: refused/),
  ]);
  expect(await memory.get(queue)).toEqual(bindings('old', 'new'));
});

test.each(['get', 'put'])(
  'with a store that fails at %s, events still come and nothing is taken off',
  async (fails) => {
    const { steps, task, memory } = recorder((step) => step.startsWith(fails));
    await memory.put(queue, bindings('old'));
    const problems = await reconcileBindings(task, bindings('old', 'new'), []);
    expect(problems).toEqual(['what was bound before is not known: refused']);
    expect(steps).toContain('bind new');
    expect(steps.filter((step) => step.startsWith('unbind'))).toEqual([]);
  },
);

test('an exchange that is missing is not bound', async () => {
  const { steps, task } = recorder();
  await reconcileBindings(task, bindings('a'), ['systemExchange']);
  expect(steps).toEqual(['get', 'put a']);
});

test('pauses grow to the last one, which repeats; odd ones are made whole', () => {
  const of = (retryMs: readonly number[]) => ({ retryMs }) as Subscription;
  expect([1, 2, 3, 9].map((attempt) => pauseAfter(of([10, 200]), attempt))).toEqual([
    10, 200, 200, 200,
  ]);
  expect(pauseAfter(of([]), 1)).toBe(1_000);
  expect(pauseAfter(of([0.2, -5]), 1)).toBe(1);
  expect([0, 10, 11, 999].map((ms) => nearestPause(of([200, 10]), ms))).toEqual([10, 10, 200, 200]);
});

test('only main queues of this host name a plug-in', () => {
  expect(pluginOf('vcx.events', 'vcx.events.audit')).toBe('audit');
  for (const name of ['vcx.events', 'vcx.events.', 'vcx.events.audit.parked', 'other.audit'])
    expect(pluginOf('vcx.events', name)).toBeNull();
});

test('a queue at its cap, from which the oldest go, is named', () => {
  const events = { maxWaiting: 100, maxParked: 10 };
  const settings = resolveOptions({ urls: ['amqp://mq'], events });
  expect(overfull('audit', { waiting: 99, parked: null }, settings)).toEqual([]);
  expect(overfull('audit', { waiting: 100, parked: 12 }, settings)).toEqual([
    'vcx.events.audit: full with 100 events, the oldest go',
    'vcx.events.audit.parked: full with 12 events, the oldest go',
  ]);
});
