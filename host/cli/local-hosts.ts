/**
 * Several hosts together with a local cloud, for trying: each a process of its own, with NATS between them.
 * May import: everything.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { HostError } from '../kernel/errors.ts';
import { readOrMakeSecret } from '../kernel/secret-file.ts';
import { pause } from '../kernel/time.ts';
import { TOKEN_FILE } from '../operator/token.ts';
import { URL_FILE } from '../operator/url-file.ts';
import { localStateDir, withPathsFrom } from './folders.ts';
import { openLocalCloud, type LocalCloudInfo } from './local-cloud.ts';
import { callLines, userLines } from './local-lines.ts';
import { commandName } from './plugin/sdk.ts';
import { untilStopped } from './signals.ts';

const PROGRAM = fileURLToPath(new URL('../cli.ts', import.meta.url));
const PLUGINS = fileURLToPath(new URL('../../plugins', import.meta.url));

/** Returns the exit code. */
export async function startLocalHosts(count: number): Promise<number> {
  const say = (text: string) => console.log(`vcx: ${text}`);
  const stop = untilStopped();
  say(`nothing is configured here, so a local cloud with ${count} hosts is started to try vcx on`);
  try {
    await using cloud = await openLocalCloud(say, stop.signal, { nats: true });
    await using stack = new AsyncDisposableStack();
    const hosts = Array.from({ length: count }, (_, index) =>
      stack.use(startHost(cloud.info, index + 1)),
    );
    say(`starting ${count} hosts`);
    for (const host of hosts) await untilReady(host, stop.signal);
    if (stop.signal.aborted) return 0;
    const calls = await callLines(cloud.info);
    console.log([...calls, '', ...hostLines(hosts), '', ...userLines(cloud.info)].join('\n'));
    console.log('\nCtrl-C stops all of it.');
    await stop.requested;
    say('stopping: calls in flight are finished, then everything that was started is ended');
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return 0;
    throw error;
  }
}

interface ChildHost extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly stateDir: string;
  /** False once its process has ended. */
  alive(): boolean;
}

/** It ends when its standard input does: by us, or by the kernel when we die. */
function startHost(info: LocalCloudInfo, index: number): ChildHost {
  const name = `host-${index}`;
  const shared = localStateDir(process.env);
  const stateDir = join(shared, name);
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  rmSync(join(stateDir, URL_FILE), { force: true });
  const key = readOrMakeSecret(join(shared, 'cluster.key'), () =>
    randomBytes(32).toString('base64'),
  );
  const child = spawn(process.execPath, [PROGRAM, 'start', '--child'], {
    cwd: stateDir,
    stdio: ['pipe', 'inherit', 'inherit'],
    // Ctrl-C reaches the whole group of processes: when to end is ours to say.
    detached: true,
    env: {
      ...withPathsFrom(process.cwd(), process.env),
      ...settings(info, { name, stateDir, key }),
    },
  });
  child.stdin.on('error', () => undefined);
  let alive = true;
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => {
      alive = false;
      resolve();
    });
  });
  return {
    name,
    stateDir,
    pid: child.pid ?? 0,
    alive: () => alive,
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await gone;
    },
  };
}

function settings(
  { amqpUrl, natsUrl, cells, provider }: LocalCloudInfo,
  { name, stateDir, key }: { name: string; stateDir: string; key: string },
): NodeJS.ProcessEnv {
  return {
    VCX_LOG_LEVEL: 'warn',
    VCX_AMQP_URL: amqpUrl,
    VCX_VCLOUD_URL: cells[0]?.url,
    VCX_VCLOUD_USER: provider.user,
    VCX_VCLOUD_PASSWORD: provider.password,
    VCX_CLUSTER_SERVERS: JSON.stringify([natsUrl]),
    VCX_CLUSTER_HOST_NAME: name,
    VCX_SECRETS_KEY: key,
    VCX_STATE_DIR: stateDir,
    VCX_OPERATOR_PORT: '0',
    VCX_PLUGINS_FOLDERS: JSON.stringify([PLUGINS]),
    VCX_PLUGINS_ALLOW_UNSIGNED: 'true',
  };
}

async function untilReady(host: ChildHost, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    if (!host.alive()) throw new HostError('INTERNAL', `${host.name} ended while it started`);
    const url = operatorUrl(host);
    const answer = url === null ? null : await fetch(`${url}/readyz`).catch(() => null);
    if (answer?.ok) return;
    await pause(100, signal);
  }
}

/** Null until it listens. */
function operatorUrl({ stateDir }: ChildHost): string | null {
  try {
    return readFileSync(join(stateDir, URL_FILE), 'utf8').trim();
  } catch {
    return null;
  }
}

function hostLines(hosts: readonly ChildHost[]): readonly string[] {
  const [first] = hosts;
  if (!first) return [];
  const token = join(first.stateDir, TOKEN_FILE);
  return [
    'Hosts; each has an operator token of its own beside its state:',
    ...hosts.map((host) => `  ${host.name} (pid ${host.pid}): ${operatorUrl(host)}`),
    '',
    `  ${commandName()} cluster status --operator ${operatorUrl(first)} --token-file ${token}`,
  ];
}
