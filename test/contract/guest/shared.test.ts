/**
 * Several calls in one isolate: what each asks for is its own, whoever's entry it is asked in.
 */
import { expect, test } from 'vitest';
import { openGuest, requestText, type Guest } from '../../support/guest/isolate.ts';

/** What was posted, with the call that it counts for: that of the entry, unless the guest says otherwise. */
function told(guest: Guest, entered: number): string[] {
  let speaker = entered;
  const lines: string[] = [];
  for (const { kind, id, text } of guest.posted.splice(0)) {
    if (kind === 'as') speaker = id;
    else if (kind === 'log' || kind === 'host' || kind === 'timer' || kind === 'cancelTimer')
      lines.push(`${speaker} ${kind} ${kind === 'log' ? (JSON.parse(text) as string[])[1] : id}`);
    else lines.push(`${id} ${kind}`);
  }
  return lines;
}

async function load(body: string): Promise<Guest> {
  const guest = await openGuest({
    setup: { bindings: ['kv'] },
    // Answered by the tests.
    host: () => new Promise(() => {}),
  });
  await guest.load(
    `const shared = Promise.withResolvers(); globalThis.__vcx_plugin = { async fetch(request, env, ctx) { const who = ctx.requestId; ${body} } };0`,
  );
  guest.posted.length = 0;
  return guest;
}

const begin = (guest: Guest, id: number) =>
  guest.enter('call', id, requestText({ requestId: String(id) }));
const answer = (guest: Guest, seq: number) =>
  guest.enter('hostReply', seq, '{"ok":true,"value":1}');

test('a call that waits for a promise of another goes on in its entry, and asks in its own name', async () => {
  await using guest = await load(`
    if (who === '1') { await env.kv.get('a'); shared.resolve(); return new Response('1'); }
    await shared.promise;
    await env.kv.get('b');
    console.log(who);
    return new Response(who);`);
  await begin(guest, 1);
  await begin(guest, 2);
  expect(told(guest, 1)).toEqual(['1 host 1']);
  await answer(guest, 1);
  // The second one's host call is its own; the first one's end ends nothing of it.
  expect(told(guest, 1).sort()).toEqual(['1 reply', '1 settled', '2 host 2']);
  await answer(guest, 2);
  expect(told(guest, 2)).toEqual(['2 log 2', '2 reply', '2 settled']);
});

test('timers end with their call, but not those that another call may wait for', async () => {
  await using guest = await load(`
    if (who === '1') {
      setTimeout(() => console.log('never'), 60_000);
      await env.kv.get('a');
      shared.resolve();
      return new Response('1');
    }
    if (who === '3') return new Promise(() => {});
    await shared.promise;
    await new Promise((done) => setTimeout(done, 60_000));
    return new Response(who);`);
  await begin(guest, 1);
  await begin(guest, 2);
  await begin(guest, 3);
  expect(told(guest, 1)).toEqual(['1 timer 1', '1 host 1']);
  await answer(guest, 1);
  const after = told(guest, 1);
  // The timer that was there before the second call began is nobody's any more.
  expect(after).toContain('1 cancelTimer 1');
  expect(after.filter((line) => line.includes('timer 2') || line.includes('Timer 2'))).toHaveLength(
    1,
  );
  await guest.enter('timer', 2, '');
  expect(told(guest, 2)).toEqual(['2 reply', '2 settled']);
});

test('caps on log lines and host calls are those of one call each', async () => {
  await using guest = await load(`
    for (let n = 0; n < 1_001; n++) console.log('x');
    const all = [];
    for (let n = 0; n < 65; n++) all.push(env.kv.get('k').catch((e) => e.code));
    return new Response(await Promise.race(all));`);
  await begin(guest, 1);
  await begin(guest, 2);
  const lines = told(guest, 0);
  expect(lines.filter((line) => line.includes(' log '))).toHaveLength(2_000);
  expect(lines.filter((line) => line.includes(' host '))).toHaveLength(128);
});
