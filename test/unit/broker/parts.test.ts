import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test, vi } from 'vitest';

import { isOpenToAll, parseAddresses } from '../../../host/broker/connection/address.ts';
import { openBroker } from '../../../host/broker/broker.ts';
import { credentialsFromFile } from '../../../host/broker/connection/credentials.ts';
import { faultOf, scrub } from '../../../host/broker/faults.ts';
import { lostQueue } from '../../../host/broker/consume/liveness.ts';
import { limitLog } from '../../../host/broker/log-limit.ts';
import { createLoop } from '../../../host/broker/loop.ts';
import { queueOf, resolveOptions } from '../../../host/broker/options.ts';
import { type Outgoing, createOutbox } from '../../../host/broker/publish/outbox.ts';
import { ServiceSet } from '../../../host/broker/consume/service-set.ts';
import { openTally } from '../../../host/broker/tally.ts';
import { inequivalent } from '../../../host/broker/consume/topology.ts';
import { HostError } from '../../../host/kernel/errors.ts';
import { createLog } from '../../../host/kernel/log.ts';
import { createMetrics } from '../../../host/kernel/metrics.ts';

test('an address is read with its parts and shown without credentials', () => {
  const [plain, secure, six] = parseAddresses([
    'amqp://us%40er:p%3Aw@mq.example/v%2Fh',
    'amqps://mq.example',
    'amqp://[::1]:5673/',
  ]);
  expect(plain).toEqual({
    secure: false,
    host: 'mq.example',
    port: 5_672,
    vhost: 'v%2Fh',
    credentials: { username: 'us@er', password: 'p:w' },
    shown: 'mq.example:5672',
  });
  expect(secure).toMatchObject({ secure: true, port: 5_671, credentials: { username: 'guest' } });
  expect(six).toMatchObject({ host: '::1', port: 5_673, shown: '[::1]:5673' });
});

test.each([[], ['http://mq'], ['mq.example:5672'], ['amqp://'], ['amqp://u:%zz@mq']])(
  'a list of addresses that can not be used is refused by key, without its text: %s',
  async (...urls) => {
    const given = urls.filter((url) => url !== undefined);
    await expect(openBroker({ urls: given })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/^amqp\.urls/),
    });
    expect(() => parseAddresses(given)).not.toThrowError(/%zz/);
  },
);

test('guest/guest counts as open to all on any host but loopback', () => {
  const at = (url: string) => parseAddresses([url])[0]!;
  const guest = { username: 'guest', password: 'guest' };
  expect(isOpenToAll(at('amqp://mq.example'), guest)).toBe(true);
  expect(isOpenToAll(at('amqp://127.evil.example'), guest)).toBe(true);
  for (const url of ['amqp://localhost', 'amqp://127.0.0.9', 'amqp://[::1]'])
    expect(isOpenToAll(at(url), guest)).toBe(false);
  expect(isOpenToAll(at('amqp://mq.example'), { username: 'guest', password: 'x' })).toBe(false);
  expect(isOpenToAll(at('amqp://mq.example'), { external: true })).toBe(false);
});

test('faults are one line with the broker’s words, and no address in them keeps its credentials', () => {
  const closed = Object.assign(
    new Error(
      `Channel closed by server: 404 (NOT-FOUND) with message "NOT_FOUND - no exchange 'x' in vhost '/'"`,
    ),
    { code: 404 },
  );
  expect(faultOf(closed)).toEqual({ code: 404, text: `NOT_FOUND - no exchange 'x' in vhost '/'` });
  expect(faultOf(Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }))).toEqual({
    code: null,
    text: 'ECONNREFUSED',
  });
  expect(faultOf(new HostError('CONFIG_INVALID', 'amqp.tls.caFile: why'))).toEqual({
    code: null,
    text: 'amqp.tls.caFile: why',
  });
  expect(faultOf(undefined).text).not.toBe('');
  expect(scrub('at amqp://user:secret@mq and //a:b@c')).toBe('at amqp://mq and //c');
});

test('a refusal to redeclare tells the argument and what it is at present', () => {
  expect(
    inequivalent(
      `PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'x' in vhost '/': received 'direct' but current is 'topic'`,
    ),
  ).toEqual({ argument: 'type', current: 'topic' });
  expect(inequivalent('ACCESS_REFUSED')).toBeNull();
});

test('credentials come from the first line of a file, anew at each call; a bad file is named, not shown', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vcx-unit-'));
  try {
    const file = join(folder, 'secret');
    const read = credentialsFromFile(file);
    await expect(read()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await writeFile(file, 'me:pass:word\r\nignored');
    expect(await read()).toEqual({ username: 'me', password: 'pass:word' });
    await writeFile(file, 'hunter2');
    await expect(read()).rejects.toThrowError(/expected USER:PASSWORD/);
    await expect(read()).rejects.not.toThrowError(/hunter2/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('lines that are alike are written once per period, with the number of those left out', () => {
  const lines: Record<string, unknown>[] = [];
  let now = 0;
  const clock = { now: () => 0, monotonic: () => now };
  const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const limited = limitLog(createLog({ write }), clock, 1_000);
  for (let i = 0; i < 5; i += 1) limited.warn('down', 'a', { i });
  limited.warn('down', 'b', {});
  now = 1_000;
  limited.warn('down', 'a', { i: 9 });
  expect(lines.map((line) => [line['i'], line['suppressed']])).toEqual([
    [0, undefined],
    [undefined, undefined],
    [9, 4],
  ]);
});

test('a loop runs one step at a time, joins kicks, and promises a step that began after the kick', async () => {
  let running = 0;
  let steps = 0;
  let most = 0;
  const loop = createLoop(async () => {
    most = Math.max(most, (running += 1));
    await Promise.resolve();
    steps += 1;
    running -= 1;
  });
  await Promise.all([loop.kick(), loop.kick(), loop.kick()]);
  expect(most).toBe(1);
  expect(steps).toBeLessThanOrEqual(2);
  const before = steps;
  await loop.kick();
  expect(steps).toBe(before + 1);
  await loop.stop();
  await loop.kick();
  expect(steps).toBe(before + 1);
});

const message = (size: number): Outgoing => ({
  exchange: 'e',
  routingKey: 'k',
  correlationId: null,
  body: Buffer.alloc(size),
  persistent: false,
  headers: null,
});
const LATE = { kind: 'failed', reason: 'late' } as const;

test('the outbox is full above a half and not full again below a quarter, by count and by bytes', () => {
  const changed = vi.fn();
  const box = createOutbox({ maxCount: 8, maxBytes: 100 }, changed);
  const on = { aborted: () => LATE, ended: () => undefined };
  const { signal } = new AbortController();
  const entries = Array.from({ length: 5 }, () => box.enter(message(1), signal, on));
  expect([box.full, changed.mock.calls.length]).toEqual([true, 1]);
  for (const entry of entries.slice(0, 3)) entry.finish({ kind: 'confirmed' });
  expect(box.full).toBe(true);
  for (const entry of entries) entry.finish({ kind: 'confirmed' });
  expect([box.full, box.count, box.bytes, changed.mock.calls.length]).toEqual([false, 0, 0, 2]);
  box.enter(message(51), signal, on);
  expect(box.full).toBe(true);
  expect(box.hasRoom(49)).toBe(true);
  expect(box.hasRoom(50)).toBe(false);
});

test('an entry ends once: by its outcome or by its signal, whichever is first', () => {
  const box = createOutbox({ maxCount: 8, maxBytes: 100 }, () => undefined);
  const ended = vi.fn();
  const on = { aborted: () => LATE, ended };
  const abort = new AbortController();
  box.enter(message(1), abort.signal, on).finish({ kind: 'confirmed' });
  const late = box.enter(message(1), abort.signal, on);
  abort.abort();
  late.finish({ kind: 'confirmed' });
  expect(ended.mock.calls.map(([, outcome]) => outcome as unknown)).toEqual([
    { kind: 'confirmed' },
    LATE,
  ]);
  expect(box.count).toBe(0);
});

test('services that stay on the list keep what is known of them', () => {
  const set = new ServiceSet();
  const a = { exchange: 'e', routingKey: 'a' };
  set.replace([a]);
  set.fail('vcx.e.a', 'refused');
  set.replace([{ exchange: 'e', routingKey: 'b' }, { ...a }]);
  expect(set.all().map((state) => state.problem?.code)).toEqual([undefined, 'BROKER_TOPOLOGY']);
  expect([...set.queues()]).toEqual([]);
});

test('a consumer counts as lost only if it stood before and after, and the broker knows of none', () => {
  const set = new ServiceSet();
  set.replace([{ exchange: 'e', routingKey: 'a' }]);
  const [state] = set.all();
  if (!state) throw new Error('no state');
  const tags = new Map([['vcx.e.a', 'tag-1']]);
  const found = (more: object) => {
    state.findings = [{ what: 'queue', name: 'vcx.e.a', state: 'found', detail: '', ...more }];
    return lostQueue(set.all(), tags, tags);
  };
  expect(found({ consumers: 1 })).toBeNull();
  expect(found({ consumers: 0 })).toBe('vcx.e.a');
  expect(found({ state: 'made' })).toBe('vcx.e.a');
  expect(lostQueue(set.all(), new Map(), tags)).toBeNull();
  state.findings = [];
  expect(lostQueue(set.all(), tags, tags)).toBeNull();
});

test('defaults fill nested options without touching the caller’s object', () => {
  const options = { urls: ['amqp://mq'], queue: { quorum: true } } as const;
  expect(resolveOptions(options)).toMatchObject({
    heartbeatS: 10,
    recovery: { initialMs: 100, maxMs: 2_000 },
    queue: { quorum: true, durable: true, messageTtlMs: 10_000 },
    credentials: null,
  });
  expect(options).toEqual({ urls: ['amqp://mq'], queue: { quorum: true } });
  expect(queueOf({ exchange: 'e', routingKey: 'k' })).toBe('vcx.e.k');
});

test('counts reach the metrics in sums', async () => {
  const metrics = createMetrics();
  await using tally = openTally(metrics);
  for (let i = 0; i < 3; i += 1) tally.add('vcx_test_total', 'a');
  tally.add('vcx_test_total', 'b');
  tally.flush();
  tally.flush();
  expect(await metrics.total('vcx_test_total', { kind: 'a' })).toBe(3);
  expect(await metrics.total('vcx_test_total')).toBe(4);
});
