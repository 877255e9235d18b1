/** A real operator endpoint over an in-memory `PluginAdmin`, and `vcx plugin …` in a folder that knows it. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { openOperator, type Operator } from '../../../host/operator/server.ts';
import { writeOperatorUrl } from '../../../host/operator/url-file.ts';
import { COMPILE_CACHE } from '../compile-cache.ts';
import { manifestOf } from '../plugins/bundles.ts';
import { createOperatorParts, OPERATOR_TOKEN, type KitOptions, type OperatorParts } from './kit.ts';
import type { Ran } from '../plugins/plugin-command.ts';

const CLI = fileURLToPath(new URL('../plugins/plugin-cli.ts', import.meta.url));

export interface RunOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Remote extends AsyncDisposable {
  readonly folder: string;
  readonly parts: OperatorParts['options'];
  readonly url: () => string;
  /** Write a file below the folder. */
  readonly write: (path: string, text: string) => void;
  /** A plug-in's source in the folder `demo`. */
  readonly source: (changes?: Record<string, unknown>) => void;
  readonly run: (args: readonly string[], options?: RunOptions) => Promise<Ran>;
  /** For what does not end by itself. */
  readonly start: (args: readonly string[]) => ChildProcessWithoutNullStreams;
  /** End the host; with `again`, start another with the same plug-ins on another port. */
  readonly restart: (parts?: Partial<OperatorParts['options']>) => Promise<void>;
}

export async function openRemote(options: KitOptions = {}): Promise<Remote> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'vcx-remote-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const kit = stack.use(createOperatorParts(options));
  const stateDir = join(folder, '.vcx');
  const open = async (changes: Partial<OperatorParts['options']> = {}) => {
    const host = '127.0.0.1';
    const operator = await openOperator({ ...kit.options, ...changes, host, port: 0 });
    return { operator, place: writeOperatorUrl(stateDir, operator.url) };
  };
  let now: { operator: Operator; place: Disposable } = await open();
  const close = async () => {
    now.place[Symbol.dispose]();
    await now.operator[Symbol.asyncDispose]();
  };
  stack.defer(close);
  writeFileSync(join(stateDir, 'operator.token'), `${OPERATOR_TOKEN}\n`, { mode: 0o600 });

  const start: Remote['start'] = (args) => begin(folder, args, {});
  const write: Remote['write'] = (path, text) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const opened = stack.move();
  return {
    folder,
    parts: kit.options,
    url: () => now.operator.url,
    write,
    source(changes = {}) {
      const manifest = manifestOf({ main: 'main.ts', ...changes });
      write('demo/plugin.json', JSON.stringify(manifest));
      write('demo/main.ts', "export default { fetch: () => new Response('hi') };\n");
    },
    start,
    run: (args, { stdin = '', env = {} } = {}) => finish(begin(folder, args, env), stdin),
    async restart(changes) {
      await close();
      now = await open(changes);
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function begin(
  cwd: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): ChildProcessWithoutNullStreams {
  const own = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('VCX_')),
  );
  // Nothing of this machine's own local cloud.
  const surroundings = { ...own, XDG_CACHE_HOME: join(cwd, 'cache'), ...COMPILE_CACHE, ...env };
  return spawn(process.execPath, [CLI, 'plugin', ...args], { cwd, env: surroundings });
}

function finish(child: ChildProcessWithoutNullStreams, stdin: string): Promise<Ran> {
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      const json = () => JSON.parse(stdout) as Record<string, unknown>;
      resolve({ code, stdout, stderr, json });
    });
  });
}
