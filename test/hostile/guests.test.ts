/** Every hostile guest against the real sandbox: answered in time with its code, and the next call of another org is served. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  bundleGuest,
  bundleGuests,
  bundleOf,
  codeOf,
  DEADLINE_MS,
  isAlive,
  openHostileKit,
  textOf,
  until,
  type HostileGuest,
  type HostileKit,
} from '../support/hostile/kit.ts';
import { ESCAPES } from './guests/escapes.ts';
import { FLOODS } from './guests/floods.ts';
import { LOADS, SCRIPTS } from './guests/loads.ts';
import { LOOPS } from './guests/loops.ts';
import { MEMORY } from './guests/memory.ts';
import { WEDGES } from './guests/wedges.ts';
import type { GuestBundle, Outcome } from '../../host/sandbox/sandbox.ts';

/** The sandbox promises 250 ms; the rest is for a machine that does other things too. */
const GRACE_MS = 2_000;
/** What the host may grow by while a hundred guests do their worst. */
const MAX_GROWTH_BYTES = 400 * 1_048_576;

let kit: HostileKit;
let quiet: GuestBundle;
let bundles: ReadonlyMap<HostileGuest, GuestBundle>;
let startRss = 0;
let peakRss = 0;
let gauge: NodeJS.Timeout;

beforeAll(async () => {
  kit = await openHostileKit();
  quiet = await bundleGuest({ name: 'quiet' });
  bundles = await bundleGuests(GUESTS.filter(({ load }) => !load));
  startRss = process.memoryUsage.rss();
  gauge = setInterval(() => (peakRss = Math.max(peakRss, process.memoryUsage.rss())), 20);
});

afterAll(async () => {
  clearInterval(gauge);
  await kit[Symbol.asyncDispose]();
});

async function attack(
  guest: HostileGuest,
  bundle: GuestBundle,
  { act = 'evil', by = kit }: { act?: string; by?: HostileKit } = {},
): Promise<Outcome> {
  const started = performance.now();
  const outcome = await by.call(bundle, { org: 'hostile', act });
  expect(performance.now() - started).toBeLessThan(DEADLINE_MS + GRACE_MS);
  expect(guest.expect, textOf(outcome)).toContain(codeOf(outcome));
  if (outcome.kind === 'replied') expect(textOf(outcome)).toBe(guest.text ?? 'done');
  return outcome;
}

/** Another org of the same plug-in, right after the attack; the runner may still be dying. */
async function expectServed(bundle: GuestBundle, by = kit): Promise<void> {
  const next = await by.call(bundle, { org: 'bystander', idempotent: true });
  expect(textOf(next)).toBe('fine');
}

const CLASSES: readonly (readonly [string, readonly HostileGuest[]])[] = [
  ['wedge the thread', WEDGES],
  ['use time for ever', LOOPS],
  ['want memory', MEMORY],
  ['look for a way out', ESCAPES],
  ['flood, or go on after the reply', FLOODS],
];

const GUESTS = CLASSES.flatMap(([, guests]) => guests);

function guestNamed(name: string): HostileGuest {
  const guest = GUESTS.find((one) => one.name === name);
  if (!guest) throw new Error(`there is no guest "${name}"`);
  return guest;
}

function bundleNamed(name: string): GuestBundle {
  const bundle = bundles.get(guestNamed(name));
  if (!bundle) throw new Error(`the guest "${name}" has no bundle`);
  return bundle;
}

describe.for(CLASSES)('guests that %s', ([, guests]) => {
  test.concurrent.for(guests.map((guest) => [guest.name, guest] as const))(
    '%s',
    async ([, guest]) => {
      const bundle = bundles.get(guest) ?? (await bundleGuest(guest));
      await attack(guest, bundle, { act: guest.name });
      await expectServed(bundle);
      await kit.sandbox.retire(bundle.plugin, bundle.version);
    },
  );
});

/** One of each kind, in runners without a compiler: there regular expressions and loops are other code. */
const WITHOUT_JIT = [
  'includes over 2**53',
  'BigInt squares',
  'a Map that grows',
  'a loop',
  'a microtask loop',
  'a backtracking regular expression',
  'a thrown proxy of loops',
  'an array filled',
  'flat strings',
  'WebAssembly memory',
  'a resizable buffer by a subclass',
  'the constructor of env',
  'an inherited reply',
  'a loop after the response',
];

describe('without a JIT compiler', () => {
  let strict: HostileKit;
  beforeAll(async () => void (strict = await openHostileKit({ strict: true })));
  afterAll(() => strict[Symbol.asyncDispose]());

  test.concurrent.for(WITHOUT_JIT)('%s', async (name) => {
    const bundle = bundleNamed(name);
    await attack(guestNamed(name), bundle, { act: name, by: strict });
    await expectServed(bundle, strict);
    await strict.sandbox.retire(bundle.plugin, bundle.version);
  });
});

/** Calls that proved short run on the runner's own thread: the others of the runner must survive their turning bad. */
const TURNCOATS = [
  'includes over 2**53',
  'a loop',
  'a microtask loop',
  'a thrown proxy of loops',
  'an unhandled rejection with a proxy of loops',
  'a Map that grows',
  'flat strings',
];
/** More than it takes to be trusted. */
const SHORT_CALLS = 24;

test.concurrent.for(TURNCOATS)('a guest that was trusted: %s', async (name) => {
  const bundle = bundleNamed(name);
  const guest = {
    ...guestNamed(name),
    expect: [...guestNamed(name).expect, 'RUNNER_KILLED'] as const,
  };
  for (let n = 0; n < SHORT_CALLS; n++) await kit.call(bundle, { org: 'hostile' });
  await attack(guest, bundle, { act: name });
  await expectServed(bundle);
  await kit.sandbox.retire(bundle.plugin, bundle.version);
});

describe('guests that attack while they are loaded', () => {
  test.concurrent.for(LOADS.map((guest) => [guest.name, guest] as const))(
    '%s',
    async ([, guest]) => {
      const bundle = await bundleGuest(guest);
      await attack(guest, bundle);
      await expectServed(quiet);
      await kit.sandbox.retire(bundle.plugin, bundle.version);
    },
  );
  test.concurrent.for(SCRIPTS.map((guest) => [guest.name, guest] as const))(
    '%s',
    async ([, guest]) => {
      const { source } = guest;
      const digest = createHash('sha256').update(source).digest('hex');
      const bundle = bundleOf(guest, { source, digest });
      await attack(guest, bundle);
      await expectServed(quiet);
      await kit.sandbox.retire(bundle.plugin, bundle.version);
    },
  );
});

test('the host stayed small, and no runner outlives the sandbox', async () => {
  expect(peakRss - startRss).toBeLessThan(MAX_GROWTH_BYTES);
  expect(kit.pids().length).toBeGreaterThan(0);
  await kit[Symbol.asyncDispose]();
  await until('all runners are gone', () => !kit.pids().some(isAlive));
});
