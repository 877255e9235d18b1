/** What every implementation of the journal promises. */
import { afterEach, expect, test } from 'vitest';

import type { Clock } from '../../../host/kernel/time.ts';
import type { Journal, JournalOptions } from '../../../host/storage/journal.ts';

const CALL = { key: 'service id', digest: 'd' };

/** `open` must give journals that share what they keep. */
export function journalCases(
  name: string,
  open: (clock: Clock, options: JournalOptions) => Promise<() => Promise<Journal>>,
): void {
  const opened: Journal[] = [];
  afterEach(async () => {
    for (const journal of opened.splice(0)) await journal[Symbol.asyncDispose]();
  });
  async function journals(options: JournalOptions = {}) {
    let now = 1_000_000;
    const clock = { now: () => now, monotonic: () => now };
    const make = await open(clock, options);
    const another = async () => {
      const journal = await make();
      opened.push(journal);
      return journal;
    };
    return { another, later: (ms: number) => (now += ms) };
  }

  test(`${name}: of several that begin the same call at once, one gets it`, async () => {
    const { another } = await journals();
    const all = await Promise.all(
      (await Promise.all([another(), another(), another()])).map((one) => one.begin(CALL)),
    );
    expect(all.map(({ kind }) => kind).sort()).toEqual(['begun', 'begun', 'new']);
  });

  test(`${name}: what was answered is answered the same to everybody, also after the process`, async () => {
    const { another } = await journals();
    const first = await another();
    await first.begin(CALL);
    await first.finish(CALL.key, '{"reply":1}');
    await first[Symbol.asyncDispose]();
    opened.splice(0);
    expect(await (await another()).begin(CALL)).toEqual({ kind: 'answered', reply: '{"reply":1}' });
    expect(await (await another()).look(CALL)).toEqual({ kind: 'answered', reply: '{"reply":1}' });
  });

  test(`${name}: what was begun is known as such, and whether its owner still lives`, async () => {
    const { another, later } = await journals({ aliveMs: 3_000 });
    const first = await another();
    await first.begin(CALL);
    const second = await another();
    expect(await second.look(CALL)).toEqual({ kind: 'begun', alive: true });
    later(60_000);
    expect(await second.begin(CALL)).toEqual({ kind: 'begun', alive: false });
  });

  test(`${name}: the same id with another digest is a conflict, answered or not`, async () => {
    const { another } = await journals();
    const journal = await another();
    await journal.begin(CALL);
    expect(await journal.begin({ ...CALL, digest: 'other' })).toEqual({ kind: 'conflict' });
    await journal.finish(CALL.key, 'x');
    expect(await journal.look({ ...CALL, digest: 'other' })).toEqual({ kind: 'conflict' });
  });

  test(`${name}: an entry ends with its time, and the key can be used again`, async () => {
    const { another, later } = await journals({ keepMs: 100_000 });
    const journal = await another();
    await journal.begin(CALL);
    // A shared store has a clock of its own, which goes on while this one stands still.
    later(90_000);
    expect(await journal.look(CALL)).toMatchObject({ kind: 'begun' });
    later(20_000);
    expect(await journal.look(CALL)).toBe(null);
    expect(await journal.begin({ ...CALL, digest: 'other' })).toEqual({ kind: 'new' });
  });

  test(`${name}: nobody finishes what another began`, async () => {
    const { another } = await journals();
    const [first, second] = [await another(), await another()];
    await first.begin(CALL);
    await second.finish(CALL.key, 'forged');
    expect(await first.look(CALL)).toEqual({ kind: 'begun', alive: true });
    expect((await first.status()).entries).toBe(1);
  });
}
