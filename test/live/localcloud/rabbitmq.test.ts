/** Private RabbitMQ nodes: they start, die, come back, and leave nothing behind, however their owner ends. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { connect } from 'amqplib';
import { expect, test } from 'vitest';

import { answers } from '../../../sdk/localcloud/nodes/ports.ts';
import {
  descendantsOf,
  findProcesses,
  isAlive,
  signal,
} from '../../../sdk/localcloud/nodes/processes.ts';
import { sweepNodes } from '../../../sdk/localcloud/nodes/sweep.ts';
import { openRabbit } from '../../../sdk/localcloud/rabbitmq.ts';

async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`in vain: ${what}`);
    await delay(20);
  }
}

/** Everything this process has started that still runs. */
const ours = () => descendantsOf(process.pid);

test('a node answers, keeps its data over stop, kill and start, and leaves nothing behind', async () => {
  const before = new Set(ours());
  let dir = '';
  let pids: number[] = [];
  {
    await using node = await openRabbit();
    dir = node.dir;
    pids = ours().filter((pid) => !before.has(pid));
    expect(node.url).toBe(`amqp://guest:guest@127.0.0.1:${node.port}`);
    expect(pids).toContain(node.pid);
    expect(pids.length).toBeGreaterThanOrEqual(3);
    const connection = await connect(node.url, { noDelay: true });
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('kept', { durable: true });
    channel.sendToQueue('kept', Buffer.from('x'), { persistent: true });
    await channel.waitForConfirms();
    await connection.close();
    const first = node.pid;
    await node.stop();
    expect(isAlive(first)).toBe(false);
    expect(await answers(node.port)).toBe(false);
    await node.start();
    const second = node.pid;
    expect(second).not.toBe(first);
    await node.kill();
    expect(isAlive(second)).toBe(false);
    await node.start();
    expect(await node.ctl('list_queues', 'name', 'messages')).toMatch(/kept\s+1/);
  }
  expect(pids.filter(isAlive)).toEqual([]);
  expect(ours().filter((pid) => !before.has(pid))).toEqual([]);
  expect(existsSync(dir)).toBe(false);
});

test('several nodes run at once, and a folder that was given is kept', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'vcx rabbit '));
  try {
    const [one, two] = await Promise.all([openRabbit({ dir }), openRabbit()]);
    expect(one.port).not.toBe(two.port);
    expect(await one.ctl('list_users')).toContain('guest');
    await Promise.all([one[Symbol.asyncDispose](), two[Symbol.asyncDispose]()]);
    expect([one.pid, two.pid].filter(isAlive)).toEqual([]);
    expect(existsSync(join(dir, 'mnesia'))).toBe(true);
    await using again = await openRabbit({ dir, port: one.port });
    expect(again.port).toBe(one.port);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test('a broken configuration is reported in the words of the node, and nothing stays', async () => {
  const before = new Set(ours());
  await expect(openRabbit({ config: ['no.such.key = 1'] })).rejects.toThrow(/no\.such\.key/);
  expect(ours().filter((pid) => !before.has(pid))).toEqual([]);
});

const MODULE = fileURLToPath(new URL('../../../sdk/localcloud/rabbitmq.ts', import.meta.url));
const OWNER = `
const { openRabbit } = await import(${JSON.stringify(MODULE)});
const node = await openRabbit();
console.log(JSON.stringify({ pid: node.pid, dir: node.dir }));
setInterval(() => undefined, 1_000);
`;

test('an owner killed by SIGKILL leaves no process and no folder', async () => {
  const owner = spawn(process.execPath, ['--input-type=module', '-e', OWNER], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: owner.stdout });
  const first = (await lines[Symbol.asyncIterator]().next()).value as string;
  const { pid, dir } = JSON.parse(first) as { pid: number; dir: string };
  const started = descendantsOf(owner.pid ?? 0);
  expect(started).toContain(pid);
  expect(started.length).toBeGreaterThanOrEqual(3);
  owner.kill('SIGKILL');
  await until(() => !started.some(isAlive), 'the end of node, epmd and keeper');
  expect(existsSync(dir)).toBe(false);
});

test('a node that even its keeper could not end is swept by the next start', async () => {
  const nodes = await mkdtemp(join(tmpdir(), 'vcx-sweep-'));
  const dir = join(nodes, 'node-left');
  await mkdir(dir);
  // As a dead owner would have left it: a process with the mark of the folder, and a note of the owner.
  const left = spawn(
    process.execPath,
    ['-e', 'setInterval(() => undefined, 1000)', '--', '-vcx_dir', encodeURIComponent(dir)],
    { stdio: 'ignore' },
  );
  const other = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], {
    stdio: 'ignore',
  });
  const [leftPid, otherPid] = [left.pid ?? 0, other.pid ?? 0];
  try {
    await until(() => findProcesses(['-vcx_dir']).includes(leftPid), 'the command line');
    const marks = [['-vcx_dir', encodeURIComponent(dir)]];
    const living = { pid: process.pid, start: 'another process', marks };
    await writeFile(join(dir, 'owner.json'), JSON.stringify(living));
    expect(await sweepNodes(nodes)).toEqual([dir]);
    expect(isAlive(leftPid)).toBe(false);
    expect(isAlive(otherPid)).toBe(true);
    expect(existsSync(dir)).toBe(false);
  } finally {
    signal(leftPid, 'SIGKILL');
    signal(otherPid, 'SIGKILL');
    await rm(nodes, { recursive: true, force: true });
  }
});
