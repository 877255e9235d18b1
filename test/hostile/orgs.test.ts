/** What one org does must not be seen or felt by another. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import {
  bundleGuest,
  codeOf,
  openHostileKit,
  textOf,
  until,
  type HostileKit,
} from '../support/hostile/kit.ts';

const WEDGE = 'Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1);';

const lostRunners = (kit: HostileKit): Promise<number> =>
  kit.metrics.total('sandbox_runners_lost_total');

test('nothing that an org leaves in its isolate reaches another org', async () => {
  await using kit = await openHostileKit();
  const marks = `[globalThis.mark, Symbol.for("mark").mark, Object.prototype.mark, Response.mark,
    Array.prototype.mark, console.mark, Math.mark, env.mark, env.kv.mark, ctx.mark,
    Object.getPrototypeOf(env.kv).mark, Object.getPrototypeOf(ctx).mark, crypto.mark].filter(Boolean).length`;
  const bundle = await bundleGuest({
    name: 'marks',
    load: 'let mark;',
    call: `const before = ${marks} + (mark ? 1 : 0);
      for (const o of [globalThis, Object.prototype, Response, console, Math, env, env.kv, ctx, crypto]) o.mark = "seen";
      Array.prototype.mark = Object.getPrototypeOf(env.kv).mark = "seen"; mark = 1;
      return Response.json(before);`,
  });
  const orgs = Array.from({ length: 5 }, (_, n) => `org-${n}`);
  const first = await Promise.all(orgs.map((org) => kit.call(bundle, { org, act: 'evil' })));
  const [pid, ...others] = new Set(first.map((outcome) => outcome.usage?.pid));
  expect({ pid, others }).toMatchObject({ pid: expect.any(Number), others: [] });
  expect(first.map(textOf)).toEqual(orgs.map(() => '0'));
});

test('with isolation: request nothing is left for the next call either', async () => {
  await using kit = await openHostileKit();
  const bundle = await bundleGuest({
    name: 'leaves nothing',
    isolation: 'request',
    call: 'const before = globalThis.mark; globalThis.mark = 1; Object.prototype.mark = 1; return new Response(String(before));',
  });
  const calls = Array.from({ length: 4 }, () => kit.call(bundle, { act: 'evil' }));
  expect((await Promise.all(calls)).map(textOf)).toEqual(Array(4).fill('undefined'));
});

test('a timer, a promise or a binding kept from a call does nothing in a later one', async () => {
  await using kit = await openHostileKit();
  const bundle = await bundleGuest({
    name: 'ghost',
    load: 'let kept, ticks = 0;',
    call: `if (!kept) {
        kept = env.kv;
        setInterval(() => { ticks++; kept.get("ghost").catch(() => {}); }, 1);
        setTimeout(async () => { for (;;) { ticks++; await kept.get("ghost"); } }, 1);
        return new Response("left");
      }
      const before = ticks;
      await new Promise((done) => setTimeout(done, 100));
      const refused = await kept.get("ghost").then(() => "served", (e) => e.code);
      return Response.json([ticks - before, refused]);`,
  });
  const asked: string[] = [];
  const hostCall = async (_: string, method: string): Promise<string> => {
    asked.push(method);
    return '{"ok":true,"value":1}';
  };
  expect(textOf(await kit.call(bundle, { act: 'evil', hostCall }))).toBe('left');
  const second = await kit.call(bundle, { act: 'evil', hostCall });
  expect(second.usage?.cold).toBe(false);
  expect(textOf(second)).toBe('[0,"CALL_OVER"]');
  expect(asked).toEqual([]);
});

test('ten thousand log lines arrive as a hundred', async () => {
  await using kit = await openHostileKit();
  const bundle = await bundleGuest({
    name: 'talkative',
    call: 'for (let i = 0; i < 10000; i++) console.log("line " + i + "x".repeat(5000));',
    limits: { cpuMs: 2_000, logLines: 100 },
  });
  const lines: string[] = [];
  const outcome = await kit.call(bundle, { act: 'evil', log: (_, text) => lines.push(text) });
  expect(codeOf(outcome)).toBe('replied');
  expect(lines).toHaveLength(101);
  expect(lines.at(-1)).toBe('more than 100 log lines: the others are dropped');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(2_049);
});

test('calls of other orgs that are in flight when a runner is killed end well', async () => {
  await using kit = await openHostileKit();
  const bundle = await bundleGuest({
    name: 'shared',
    call: `if (ctx.caller.org !== "hostile") { await env.kv.get("wait"); return new Response("well"); } ${WEDGE}`,
  });
  const gate = Promise.withResolvers<string>();
  let waiting = 0;
  const hostCall = (): Promise<string> => {
    waiting++;
    return gate.promise;
  };
  const orgs = ['a', 'b', 'c'];
  const calls = orgs.map((org) =>
    kit.call(bundle, { org, act: 'evil', idempotent: true, hostCall }),
  );
  await until('all wait in the runner', () => waiting === orgs.length);
  const evil = await kit.call(bundle, { org: 'hostile', act: 'evil' });
  await until('the runner is lost', async () => (await lostRunners(kit)) > 0);
  gate.resolve('{"ok":true,"value":1}');
  expect(['CPU_EXCEEDED', 'WALL_EXCEEDED', 'RUNNER_KILLED']).toContain(codeOf(evil));
  expect((await Promise.all(calls)).map(textOf)).toEqual(orgs.map(() => 'well'));
});

test('an org with many calls in a lost runner does not keep the one call of another org waiting', async () => {
  await using kit = await openHostileKit();
  const bundle = await bundleGuest({
    name: 'crowd',
    call: 'await env.kv.get("wait");',
    limits: { wallMs: 5_000 },
  });
  let entered = 0;
  const never = (): Promise<string> => {
    entered++;
    return new Promise(() => {});
  };
  let runs = 0;
  const onceSlow = (): Promise<string> =>
    runs++ === 0 ? never() : Promise.resolve('{"ok":true,"value":1}');
  const options = { act: 'evil', idempotent: true };
  const victim = kit.call(bundle, {
    ...options,
    org: 'victim',
    hostCall: onceSlow,
    withinMs: 7_000,
  });
  await until('the victim is in the runner', () => entered === 1);
  const crowd = Array.from({ length: 8 }, () =>
    kit.call(bundle, { ...options, org: 'crowd', hostCall: never }),
  );
  await until('all are in the runner', () => entered === 9);
  const serving = kit.sandbox.status().runners.find(({ plugin }) => plugin === 'crowd');
  process.kill(serving?.pid ?? 0, 'SIGKILL');
  expect(textOf(await victim)).toBe('done');
  await kit[Symbol.asyncDispose]();
  const ends = await Promise.all(crowd);
  expect(ends.every((outcome) => outcome.kind === 'failed')).toBe(true);
});

test('an org that kills runners is paused, its neighbours on the plug-in are not', async () => {
  await using kit = await openHostileKit({ orgBreaker: { threshold: 2 } });
  const bundle = await bundleGuest({ name: 'killer', call: WEDGE });
  for (let kills = 1; kills <= 2; kills++) {
    await kit.call(bundle, { org: 'hostile', act: 'evil' });
    await until(
      'it is blamed',
      async () => (await kit.metrics.total('sandbox_blames_total')) >= kills,
    );
  }
  expect(codeOf(await kit.call(bundle, { org: 'hostile' }))).toBe('PLUGIN_QUARANTINED');
  expect(textOf(await kit.call(bundle, { org: 'other', idempotent: true }))).toBe('fine');
});

test('a quiet plug-in is served all the while other plug-ins are killed', async () => {
  await using kit = await openHostileKit();
  const quiet = await bundleGuest({ name: 'quiet' });
  const killers = await Promise.all(
    [WEDGE, 'const m = new Map(); for (let i = 0; ; i++) m.set(i, i);', 'for (;;);'].map(
      (call, n) => bundleGuest({ name: `killer-${n}`, call }),
    ),
  );
  const attacking = new AbortController();
  const attacks = Promise.all(
    killers.map((bundle) => kit.call(bundle, { org: 'hostile', act: 'evil' })),
  ).finally(() => attacking.abort());
  const answers: string[] = [];
  while (!attacking.signal.aborted || answers.length < 20)
    answers.push(textOf(await kit.call(quiet, { org: 'quiet' })));
  await attacks;
  expect(new Set(answers)).toEqual(new Set(['fine']));
});

test('retiring one plug-in leaves the spares and the other plug-ins alone', async () => {
  await using kit = await openHostileKit({ spares: 2 });
  const quiet = await bundleGuest({ name: 'quiet' });
  const served = await kit.call(quiet, { org: 'quiet' });
  for (let round = 0; round < 5; round++) {
    const bundle = await bundleGuest({ name: `passing-${round}` });
    expect(textOf(await kit.call(bundle))).toBe('fine');
    await kit.sandbox.retire(bundle.plugin, bundle.version);
  }
  expect(kit.sandbox.status().ready).toBe(true);
  expect(await kit.metrics.total('sandbox_runner_start_failures_total')).toBe(0);
  const after = await kit.call(quiet, { org: 'quiet' });
  expect([after.usage?.pid, after.usage?.cold]).toEqual([served.usage?.pid, false]);
});

test('time that other processes of the machine take is not charged to a guest', async () => {
  await using kit = await openHostileKit();
  const work =
    'let x = 0; for (let i = 0; i < 2e7; i++) x = (x * 31 + i) | 0; globalThis.kept = x;';
  const calm = await bundleGuest({ name: 'calm', call: work, limits: { cpuMs: 2_000 } });
  for (let round = 0; round < 2; round++) await kit.call(calm, { act: 'evil' });
  const quiet = await kit.call(calm, { act: 'evil' });
  const cpuMs = Math.ceil((quiet.usage?.cpuMs ?? 0) * 3) + 30;
  const honest = await bundleGuest({ name: 'honest', call: work, limits: { cpuMs } });
  await kit.call(honest);
  const burners = Array.from({ length: 4 * availableParallelism() }, () =>
    spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
  );
  try {
    await Promise.all(burners.map((child) => once(child, 'spawn')));
    expect(codeOf(await kit.call(honest, { act: 'evil' }))).toBe('replied');
  } finally {
    for (const child of burners) child.kill('SIGKILL');
  }
});
