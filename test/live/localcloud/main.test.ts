/** The program: what it says, what it obeys, and that nothing is left of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { answers } from '../../../sdk/localcloud/nodes/ports.ts';
import { descendantsOf, isAlive } from '../../../sdk/localcloud/nodes/processes.ts';

const PROGRAM = fileURLToPath(new URL('../../../sdk/localcloud/main.ts', import.meta.url));

interface Line {
  readonly type: string;
  readonly [key: string]: unknown;
}

function start(...args: string[]) {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exit = once(child, 'exit') as Promise<[number | null]>;
  const next = async (type: string): Promise<Line> => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`the program ended before it said ${type}`);
      const line = JSON.parse(value) as Line;
      if (line.type === type) return line;
      expect(line.type).toBe('progress');
    }
  };
  return { child, next, exit };
}

const say = (child: ChildProcess, type: string) =>
  child.stdin?.write(`${JSON.stringify({ type })}\n`);

test('it starts a broker and cells, obeys, survives Ctrl-C, and ends when its input closes', async () => {
  const { child, next, exit } = start('--cells', '2', '--timeout-ms', '2000');
  const ready = await next('ready');
  expect(ready).toMatchObject({
    amqpUrl: expect.stringMatching(/^amqp:\/\/guest:guest@127\.0\.0\.1:\d+$/) as string,
    cells: [{ url: expect.any(String) as string }, { url: expect.any(String) as string }],
    orgs: [{ name: 'acme' }, { name: 'globex' }],
    provider: { user: 'administrator', password: 'administrator' },
  });
  const port = Number(new URL(String(ready['amqpUrl'])).port);
  say(child, 'stop-broker');
  expect(await next('done')).toEqual({ type: 'done', command: 'stop-broker' });
  expect(await answers(port)).toBe(false);
  say(child, 'start-broker');
  expect(await next('done')).toEqual({ type: 'done', command: 'start-broker' });
  expect(await answers(port)).toBe(true);
  say(child, 'dance');
  expect(await next('error')).toMatchObject({ command: 'dance' });
  child.kill('SIGINT');
  say(child, 'start-broker');
  expect(await next('done')).toEqual({ type: 'done', command: 'start-broker' });
  const started = descendantsOf(child.pid ?? 0);
  expect(started.length).toBeGreaterThanOrEqual(3);
  child.stdin.end();
  expect((await exit)[0]).toBe(0);
  expect(started.filter(isAlive)).toEqual([]);
});

test('SIGTERM ends it and all it started, also while it still starts', async () => {
  const { child, next, exit } = start();
  await next('progress');
  await expect
    .poll(() => descendantsOf(child.pid ?? 0).length, { timeout: 10_000 })
    .toBeGreaterThan(2);
  const started = descendantsOf(child.pid ?? 0);
  child.kill('SIGTERM');
  expect((await exit)[0]).toBe(0);
  await expect.poll(() => started.filter(isAlive), { timeout: 10_000 }).toEqual([]);
});

test('a wrong option is an error line and exit code 1', async () => {
  const { next, exit } = start('--cells', 'many');
  expect((await next('error'))['message']).toContain('--cells');
  expect((await exit)[0]).toBe(1);
});
