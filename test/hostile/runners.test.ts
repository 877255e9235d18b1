/** Runners that were taken over: forged frames are answered by SIGKILL, and the machine is closed to them. */
import { spawn, spawnSync, type StdioOptions } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GuestBundle } from '../../host/sandbox/sandbox.ts';
import type { SandboxOptions } from '../../host/sandbox/options.ts';
import {
  bundleOf,
  codeOf,
  isAlive,
  openHostileKit,
  until,
  type HostileGuest,
  type HostileKit,
} from '../support/hostile/kit.ts';
import type { Script, Step } from '../support/hostile/runner.ts';

const ROOT = resolve(import.meta.dirname, '..', '..');
const runnerProgram = {
  path: join(ROOT, 'test', 'support', 'hostile', 'runner.ts'),
  readable: [`${ROOT}/test/support/`, `${ROOT}/host/runner/`, `${ROOT}/package.json`],
};

const openRunners = (options: Partial<SandboxOptions> = {}): Promise<HostileKit> =>
  openHostileKit({ runnerProgram, spares: 1, heartbeatMs: 300, ...options });

function bundleFor(name: string, script: Script, wallMs = 6_000): GuestBundle {
  const source = JSON.stringify(script);
  const digest = createHash('sha256').update(source).digest('hex');
  return bundleOf({ name, limits: { wallMs } }, { source, digest });
}

interface Forgery extends Pick<HostileGuest, 'expect'> {
  readonly name: string;
  readonly script: Script;
  /** Whether the runner must be gone afterwards. @default true */
  readonly killed?: boolean;
}

const call = (name: string, ...onCall: Step[]): Forgery => ({
  name,
  script: { onCall },
  expect: ['RUNNER_KILLED'],
});
const header = (length: number, type: number): number[] => {
  const bytes = Buffer.alloc(17);
  bytes.writeUInt32LE(length, 0);
  bytes[4] = type;
  return [...bytes];
};

const FORGERIES: readonly Forgery[] = [
  call('a reply for another call', { type: 'reply', call: 1, body: '"x"' }),
  call('a reply for another isolate', { type: 'reply', slot: 1, body: '"x"' }),
  call('a host call for another call', { type: 'host', call: 1, body: '{}' }),
  call('a log line for another isolate', { type: 'log', slot: 9, body: '["info","x"]' }),
  call('a note of dropped log lines without any', { type: 'log', body: '' }),
  call('the end of a call that goes on', { type: 'settled' }),
  call('the end of an isolate in use', { type: 'gone' }),
  call('an unknown limit', { type: 'over', body: 'toString' }),
  call('a limit named __proto__', { type: 'over', body: '__proto__' }),
  call('a second ready', { type: 'ready' }),
  call('an answer to no ping', { type: 'pong', value: 7 }),
  call('an isolate opened twice', { type: 'opened', body: '["fetch"]' }),
  call('an isolate refused late', { type: 'refused', body: 'x' }),
  call('a catastrophe that is none', { type: 'catastrophe', body: 'x' }),
  call('twenty thousand log lines', { type: 'log', body: '["info","x"]', times: 20_000 }),
  call('a frame of two gigabytes', { raw: header(0x7f_ff_ff_ff, 13) }),
  call('a frame without a header', { raw: [3, 0, 0, 0, 1, 1, 1] }),
  call('a frame of length zero', { raw: [0, 0, 0, 0] }),
  call('a frame of a type that is not', { raw: header(13, 250) }),
  call('a frame that hosts send', { raw: header(13, 6) }),
  call('noise', { raw: Array.from({ length: 8_192 }, (_, n) => (n * 197 + 11) % 251) }),
  call('its own death', { exit: 3 }),
  {
    name: 'a reply over its cap',
    script: {
      onCall: [
        { type: 'reply', body: `"${'x'.repeat(1000)}"`, times: 1 },
        { raw: header(64_000_000, 13) },
      ],
    },
    expect: ['replied'],
  },
  {
    name: 'a flood of host calls',
    script: {
      onCall: [{ type: 'host', body: '{"binding":"kv","method":"get","args":[]}', times: 5_000 }],
    },
    expect: ['HOST_CALLS_EXCEEDED'],
    killed: false,
  },
  {
    name: 'host calls of no known form',
    script: { onCall: [{ type: 'host', body: '{"binding":', times: 5_000 }] },
    expect: ['HOST_CALLS_EXCEEDED'],
    killed: false,
  },
  {
    name: 'a limit that was met after the host gave it up',
    script: {
      onCall: [],
      onDispose: [
        { type: 'over', body: 'cpu', times: 10_000 },
        { type: 'log', times: 10_000 },
      ],
    },
    expect: ['WALL_EXCEEDED'],
  },
  {
    name: 'two replies',
    script: {
      onCall: [
        { type: 'reply', body: '"first"' },
        { type: 'reply', body: '"second"' },
      ],
    },
    expect: ['replied'],
  },
  {
    name: 'a failure that is no JSON',
    script: {
      onCall: [
        { type: 'threw', body: '{{{' },
        { type: 'settled', body: 'NaN' },
      ],
    },
    expect: ['PLUGIN_THREW'],
    killed: false,
  },
  {
    name: 'silence',
    script: { onCall: [], onDispose: [], onPing: [] },
    expect: ['WALL_EXCEEDED'],
  },
  {
    name: 'half a frame',
    script: { onCall: [{ raw: [40, 0, 0] }], onDispose: [], onPing: [] },
    expect: ['WALL_EXCEEDED'],
  },
  { name: 'a closed ear', script: { onCall: [], deaf: true }, expect: ['WALL_EXCEEDED'] },
];

let shared: HostileKit;
beforeAll(async () => void (shared = await openRunners()));
afterAll(() => shared[Symbol.asyncDispose]());

test.concurrent.for(FORGERIES.map((forgery) => [forgery.name, forgery] as const))(
  'a runner that sends %s ends only its own calls',
  async ([name, { script, expect: codes, killed = true }]) => {
    const kit = shared;
    // Where the wall limit is not what ends it, it must not be met on a busy machine either.
    const wallMs = codes.includes('WALL_EXCEEDED') ? 500 : undefined;
    const outcome = await kit.call(bundleFor(name, script, wallMs), { org: 'hostile' });
    expect(codes).toContain(codeOf(outcome));
    const pid = outcome.usage?.pid ?? 0;
    expect(pid).toBeGreaterThan(0);
    if (killed) await until('the liar is gone', () => !isAlive(pid));
    expect(codeOf(await kit.call(bundleFor('honest', {}), { org: 'other' }))).toBe('replied');
  },
);

test('handler names that are no JSON refuse the bundle, with a code', async () => {
  await using kit = await openRunners();
  const bundle = bundleFor('names', { onOpen: [{ type: 'opened', body: '["fetch' }] });
  await expect(kit.sandbox.probe(bundle)).rejects.toMatchObject({ code: 'BUNDLE_INVALID' });
});

test('the reason that a runner gives is cut before it reaches logs and callers', async () => {
  const onOpen = [{ type: 'refused', body: 'r'.repeat(60_000) }, { type: 'gone' }] as const;
  const outcome = await shared.call(bundleFor('refused', { onOpen }));
  const message = outcome.kind === 'failed' ? outcome.message : '';
  expect([codeOf(outcome), message.length]).toEqual(['PLUGIN_UNAVAILABLE', 1_000]);
});

test('a runner that never answers to open is given up in time', async () => {
  await using kit = await openRunners({ loadWallMs: 300 });
  const bundle = bundleFor('never opens', { onOpen: [], onDispose: [], onPing: [] });
  expect(codeOf(await kit.call(bundle))).toBe('WALL_EXCEEDED');
  expect(codeOf(await kit.call(bundleFor('honest', {}), { org: 'other' }))).toBe('replied');
});

test('a program that dies at each start is not started in a storm', async () => {
  await using kit = await openHostileKit({
    runnerProgram: {
      path: join(ROOT, 'test', 'support', 'hostile', 'dies.ts'),
      readable: [`${ROOT}/`],
    },
  });
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      kit.call(bundleFor('any', {}), { org: `org-${n}`, withinMs: 3_000 }),
    ),
  );
  expect(new Set(answers.map(codeOf))).toEqual(new Set(['RUNNER_UNAVAILABLE']));
  expect(kit.sandbox.status()).toMatchObject({ ready: false, reason: expect.any(String) });
  expect(await kit.metrics.total('sandbox_runner_starts_total')).toBeLessThan(20);
});

interface Bait extends Disposable {
  readonly folder: string;
  readonly file: string;
  readonly unixPath: string;
  readonly server: Server;
  readonly port: number;
  /** Connections that were made to either server. */
  hits(): number;
}

/** A folder, a file and servers that any process of this machine could reach. */
async function layBait(): Promise<Bait> {
  const folder = mkdtempSync(join(tmpdir(), 'vcx-bait-'));
  chmodSync(folder, 0o777);
  const file = join(folder, 'readable');
  writeFileSync(file, 'A=1', { mode: 0o644 });
  const unixPath = join(folder, 'socket');
  let hits = 0;
  const count = (): number => (hits += 1);
  const server = createServer(count);
  const local = createServer(count);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  await new Promise<void>((done) => local.listen(unixPath, done));
  chmodSync(unixPath, 0o777);
  return {
    folder,
    file,
    unixPath,
    server,
    port: (server.address() as AddressInfo).port,
    hits: () => hits,
    [Symbol.dispose]() {
      server.close();
      local.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

test('a runner that was taken over reads no file, opens no socket, starts and signals no process', async () => {
  using bait = await layBait();
  // All of it is done at once: meanwhile the runner answers to nothing.
  await using kit = await openRunners({ heartbeatMs: 20_000 });
  const victim = await kit.call(bundleFor('victim', {}), { org: 'other' });
  const { folder, file, port, unixPath } = bait;
  const pids = [process.pid, victim.usage?.pid ?? 0];
  const before = readdirSync(folder);
  const outcome = await kit.call(
    bundleFor('snoop', { snoop: { folder, file, port, unixPath, pids } }, 30_000),
    { org: 'hostile', withinMs: 30_000 },
  );
  expect(codeOf(outcome)).toBe('replied');
  const found = JSON.parse(outcome.kind === 'replied' ? outcome.reply : '{}') as Record<
    string,
    string
  >;
  const active = (name: string): boolean =>
    kit.sandbox.status().barriers.some((barrier) => barrier.name === name && barrier.active);
  const apart = active('uid') || active('namespace');
  const open = Object.keys(found).filter(
    (name) =>
      found[name] === 'done' && (apart || !/process \d|become root|join a group/.test(name)),
  );
  expect(open).toEqual([]);
  expect(Object.keys(found).length).toBeGreaterThan(30);
  expect(readdirSync(folder)).toEqual(before);
  expect(bait.hits()).toBe(0);
  expect(isAlive(victim.usage?.pid ?? 0)).toBe(true);
});

test.runIf(existsSync('/proc/self/fd'))(
  'a runner holds nothing that this process has open',
  async () => {
    await using kit = await openHostileKit();
    await until('a spare is ready', () =>
      kit.sandbox.status().runners.some((r) => r.state === 'spare'),
    );
    const links = (pid: number | 'self'): Map<string, string> =>
      new Map(
        readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
          try {
            return [[fd, readlinkSync(`/proc/${pid}/fd/${fd}`)] as const];
          } catch {
            return [];
          }
        }),
      );
    const ours = new Set(
      [...links('self').values()].filter((link) => !link.startsWith('anon_inode:')),
    );
    ours.delete('/dev/null');
    for (const { pid } of kit.sandbox.status().runners)
      expect([...links(pid).values()].filter((link) => ours.has(link))).toEqual([]);
  },
);

test.runIf(existsSync('/proc/self/fd'))(
  'what the host got from its own parent is not passed on to a runner',
  async () => {
    const FD = 40;
    const stdio: StdioOptions = Array.from({ length: FD + 1 }, () => 'ignore');
    stdio[1] = stdio[FD] = 'pipe';
    const heir = join(ROOT, 'test', 'support', 'hostile', 'heir.ts');
    const child = spawn(process.execPath, ['--no-warnings', heir, String(FD)], { stdio });
    let said = '';
    child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await once(child, 'close');
    expect(said).toBe('closed');
  },
);

/** As root, runners have no namespace of their own unless told so: it is there that dying is hard. */
const NAMESPACE = process.getuid?.() === 0 ? ['unshare', '-p', '-f', '--kill-child', '--'] : [];
const canUnshare =
  NAMESPACE.length === 0 || spawnSync('/usr/bin/env', [...NAMESPACE, 'true']).status === 0;

test.runIf(existsSync('/proc/self/fd') && canUnshare)(
  'a runner whose host is killed ends, whatever its guest is at',
  async () => {
    const orphan = join(ROOT, 'test', 'support', 'hostile', 'orphan.ts');
    const child = spawn(process.execPath, ['--no-warnings', orphan, ...NAMESPACE], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    const pids = JSON.parse(said.toString()) as number[];
    expect(pids.length).toBeGreaterThan(0);
    child.kill('SIGKILL');
    await until('the runners are gone', () => !pids.some(isRunning));
  },
);

/** Not as a zombie either, which nobody may reap where this process is not its parent. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
