/**
 * The host as operators run it, in a process of its own, to be killed and stopped by tests.
 * May import: test/support.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { PROBES } from '../live.ts';
import { bareEnv } from '../program.ts';
import { waitFor } from '../wait.ts';

const CLI = fileURLToPath(new URL('../../../host/cli.ts', import.meta.url));

/** Lines of a log that are kept. */
const MAX_LINES = 200_000;

export interface Readiness {
  readonly ready: boolean;
  readonly dependencies: Readonly<Record<string, { ok: boolean; reason: string | null }>>;
}

export interface ChaosHost extends AsyncDisposable {
  readonly pid: number;
  /** Lines of its log so far. */
  readonly lines: readonly string[];
  readonly exited: Promise<number | null>;
  signal(name: NodeJS.Signals): void;
  readiness(): Promise<Readiness>;
  /** Wait until calls are consumed and can be answered. */
  ready(timeoutMs?: number): Promise<void>;
  /** Wait until a line of the log from `from` on matches. */
  says(pattern: RegExp, from?: number): Promise<void>;
  status(): Promise<Record<string, unknown>>;
  /** Values of all metrics of a name added up; with text that the labels must hold. */
  metric(name: string, labels?: string): Promise<number>;
}

export interface ChaosHostOptions {
  readonly url: string;
  readonly stateDir: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** Module that is loaded before the host. */
  readonly preload?: URL;
}

/** Start it; resolves when its operator endpoint listens. Ended by SIGKILL when disposed of and still there. */
export async function openChaosHost(options: ChaosHostOptions): Promise<ChaosHost> {
  const { url, stateDir, settings, preload } = options;
  const before = preload ? ['--import', preload.href] : [];
  const child = spawn(process.execPath, [...before, CLI, 'start'], {
    cwd: stateDir,
    env: {
      ...bareEnv(),
      VCX_AMQP_URL: url,
      VCX_OPERATOR_PORT: '0',
      VCX_STATE_DIR: stateDir,
      VCX_PLUGINS_FOLDERS: JSON.stringify([PROBES]),
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // A test that is given up while its host still starts knows nothing of it.
  const end = () => void child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  const lines = gather(child);
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => resolve(code));
  });
  const says = async (pattern: RegExp, from = 0) => {
    const seen = () => lines.slice(from).some((line) => pattern.test(line));
    await waitFor(
      () => seen() || child.exitCode !== null,
      () => `${String(pattern)} in\n${lines.slice(-20).join('\n')}`,
      60_000,
    );
    if (!seen()) throw new Error(`it ended with ${child.exitCode}:\n${lines.join('\n')}`);
  };
  await says(/"host\.started"/);
  const started = lines.find((line) => line.includes('"host.started"')) ?? '';
  const operator = (JSON.parse(started) as { operator: string }).operator;
  const get = async (path: string) => {
    const token = readFileSync(join(stateDir, 'operator.token'), 'utf8').trim();
    return fetch(`${operator}${path}`, { headers: { Authorization: `Bearer ${token}` } });
  };
  const readiness = async () => (await (await get('/readyz')).json()) as Readiness;
  return {
    pid: child.pid ?? 0,
    lines,
    exited,
    signal: (name) => void child.kill(name),
    readiness,
    async ready(timeoutMs = 30_000) {
      let last: Readiness | null = null;
      await waitFor(
        async () => (last = await readiness()).ready,
        () => JSON.stringify(last),
        timeoutMs,
      );
    },
    says,
    status: async () => (await (await get('/status')).json()) as Record<string, unknown>,
    async metric(name, labels = '') {
      const text = await (await get('/metrics')).text();
      return text
        .split('\n')
        .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
        .filter((line) => line.includes(labels))
        .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Whole lines of both outputs, as they come. */
function gather(child: ChildProcess): string[] {
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream?.on('data', (chunk: Buffer) => {
      const parts = `${rest}${chunk.toString()}`.split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts);
      // Runs of hours have more than fits.
      if (lines.length > MAX_LINES) lines.splice(0, MAX_LINES / 2);
    });
  }
  return lines;
}
