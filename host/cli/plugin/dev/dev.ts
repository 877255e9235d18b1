/**
 * `vcx plugin dev`: one plug-in on a simulated cell, a private RabbitMQ and a host with the limits of production,
 * loaded anew on every save.
 * May import: everything.
 */
import { mkdtemp, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import type { Config } from '../../../config.ts';
import { openHost } from '../../../host.ts';
import { HostError } from '../../../kernel/errors.ts';
import { localConfig, untilReady } from '../../local.ts';
import { openLocalCloud, type LocalCloud, type LocalCloudInfo } from '../../local-cloud.ts';
import { signIn } from '../../sign-in.ts';
import { untilStopped } from '../../signals.ts';
import type { Answer, CommonOptions } from '../run.ts';
import type { Person } from './calls.ts';
import { createScreen, type Screen } from './screen.ts';
import { createSession } from './session.ts';
import { readSettings, type Settings, type SettingFiles } from './settings.ts';

export interface DevOptions extends CommonOptions, SettingFiles {
  /** Of the simulated cell. @default a free one */
  readonly port?: number;
}

/** Until Ctrl-C, which ends everything that was started. */
export async function devPlugin(given: string, options: DevOptions): Promise<Answer> {
  const folder = await folderOf(given);
  const settings = await readSettings(options);
  const stop = untilStopped();
  // Whoever read our output is gone.
  process.stdout.on('error', () => stop.stop());
  let names = new Map<string, string>();
  const screen = createScreen({
    json: options.json ?? false,
    orgName: (org) => names.get(org.split(':').at(-1) ?? '') ?? org,
  });
  const say = (text: string) => screen.progress(text);
  try {
    const { port = 0 } = options;
    await using cloud = await openLocalCloud(say, stop.signal, { cells: 1, port });
    names = new Map(cloud.info.orgs.map(({ id, name }) => [id.split(':').at(-1) ?? '', name]));
    await serve(cloud, { folder, settings, screen, stop });
  } catch (error) {
    // What was on its way when the signal came fails for that reason.
    if (!stop.signal.aborted) throw error;
  }
  return { ok: true, silent: true, text: [], json: {} };
}

interface Setup {
  readonly folder: string;
  readonly settings: Settings;
  readonly screen: Screen;
  readonly stop: ReturnType<typeof untilStopped>;
}

async function serve({ info }: LocalCloud, { folder, settings, screen, stop }: Setup) {
  await using stack = new AsyncDisposableStack();
  const stateDir = await mkdtemp(join(tmpdir(), 'vcx-dev-'));
  stack.defer(() => rm(stateDir, { recursive: true, force: true }));
  const config = devConfig(info, { folder, stateDir });
  const say = (text: string) => screen.progress(text);
  const session = createSession({ folder, info, config, settings, screen });
  const host = stack.use(await openHost(config, { log: session.log }));
  await untilReady(host, say, stop.signal);
  if (stop.signal.aborted) return;
  const person = await personOf(info);
  stack.use(await session.begin(host, person));
  await stop.requested;
  say('stopping: calls in flight are finished, then all that was started is ended');
}

async function folderOf(given: string): Promise<string> {
  const folder = await realpath(resolve(given)).catch((error: unknown) => {
    throw new HostError('CONFIG_INVALID', `${given}: there is no such folder`, { cause: error });
  });
  const manifest = await stat(join(folder, 'plugin.json')).catch(() => null);
  if (!manifest?.isFile()) throw new HostError('CONFIG_INVALID', `${given} holds no plugin.json`);
  return folder;
}

/** Settings that change what a plug-in may do here; where broker, vCloud and state are is not for the environment to say. */
const TAKEN = /^VCX_(?:LOG|FETCH|QUOTAS|LIMITS|SANDBOX|OPERATOR_PORT)/;

function devConfig(
  info: LocalCloudInfo,
  { folder, stateDir }: { readonly folder: string; readonly stateDir: string },
): Config {
  const env = {
    VCX_OPERATOR_PORT: '0',
    VCX_SANDBOX_HEAP_EVERY_CALLS: '1',
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => TAKEN.test(name))),
  };
  // The folder of the state holds no vcx.yaml.
  const config = localConfig(info, { env, cwd: stateDir });
  const { plugins } = config;
  return {
    ...config,
    stateDir,
    // What it asks for is approved as it changes: see `session.ts`.
    plugins: { ...plugins, folders: [folder], watch: true, allowUnsigned: false, vcloudPaths: {} },
  };
}

/** A user who may do all that the plug-in's rights allow. */
async function personOf({ cells, orgs }: LocalCloudInfo): Promise<Person> {
  const cell = cells[0]?.url ?? '';
  const [org] = orgs;
  const user = org?.users.find(({ rights }) => rights === 'all');
  if (!org || !user) throw new HostError('INTERNAL', 'the simulated cell has no users');
  const name = `${user.name}@${org.name}`;
  const token = await signIn(cell, name, user.password);
  return { name, org: { name: org.name, id: org.id }, cell, token };
}
