/**
 * What stands between a guest and the machine, found out once: which barriers hold here and which are missing, and why.
 * May import: kernel, runner's location.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { SandboxSettings } from '../options.ts';
import { stagePrograms, type StagedPrograms } from './stage.ts';

export interface Barrier {
  readonly name: string;
  readonly active: boolean;
  readonly detail: string;
}

/** How runners are to be started on this machine. */
export interface Enclosure extends Disposable {
  /** Node's flags; the V8 ones among them key the code cache. */
  readonly flags: readonly string[];
  /** Words before the node binary. */
  readonly prefix: readonly string[];
  /** Ids that runners take turns with; null for none. */
  readonly uidRange: readonly [number, number] | null;
  readonly runnerPath: string;
  readonly compilerPath: string;
  readonly barriers: readonly Barrier[];
}

const RUNNER_FOLDER = realpathSync(join(import.meta.dirname, '../../runner'));

/** In an own user namespace with no privileges in it, out of sight of other processes and of the network. */
const NAMESPACE = ['unshare', '-U', '-c', '-n', '-p', '-f', '--kill-child', '--'];
const PROBE_MS = 5_000;

/** Look at the machine once; blocks for some tens of ms when a namespace has to be tried. */
export function createEnclosure(settings: SandboxSettings): Enclosure {
  const library = createRequire(import.meta.url).resolve('isolated-vm');
  const staged = stagePrograms(RUNNER_FOLDER, { 'isolated-vm': realpathSync(library) });
  const readable = readablePaths(settings, staged, dirname(realpathSync(library)));
  const program = settings.runnerProgram?.path ?? staged.path('main');
  const uid = uidBarrier(settings, [...readable, program]);
  const namespace = namespaceBarrier(settings);
  return {
    flags: flagsOf(settings, readable),
    prefix: namespace.active ? NAMESPACE : settings.argvPrefix,
    uidRange: uid.active ? settings.uidRange : null,
    runnerPath: program,
    compilerPath: staged.path('compile'),
    [Symbol.dispose]: () => staged[Symbol.dispose](),
    barriers: [
      {
        name: 'process',
        active: true,
        detail: 'guests run in child processes of one plug-in each',
      },
      {
        name: 'environment',
        active: true,
        detail: 'empty environment, one socketpair, no other descriptor',
      },
      {
        name: 'permission',
        active: true,
        detail: 'no file but the runner program, no processes, no workers, no network',
      },
      uid,
      namespace,
      memoryBarrier(),
      {
        name: 'prefix',
        active: settings.argvPrefix.length > 0,
        detail: settings.argvPrefix[0] ?? 'no argvPrefix is configured',
      },
      {
        name: 'jitless',
        active: settings.strict,
        detail: settings.strict ? 'V8 makes no machine code' : 'the strict profile is off',
      },
    ],
  };
}

function flagsOf(settings: SandboxSettings, readable: readonly string[]): readonly string[] {
  return [
    '--no-node-snapshot',
    '--no-warnings',
    '--permission',
    '--allow-addons',
    // The permission model does not look at the files that SQLite opens.
    '--no-experimental-sqlite',
    '--no-experimental-ffi',
    ...readable.map((path) => `--allow-fs-read=${path}`),
    '--disallow-code-generation-from-strings',
    '--max-old-space-size=96',
    '--v8-pool-size=1',
    // For the prelude, which takes it away from guests; see the runner's trimmer.
    '--expose-gc',
    '--compaction-target-fragmentation-percent-for-reduce-memory=1',
    ...(settings.strict ? ['--jitless'] : []),
  ];
}

/** All that a runner reads: its program and the native library with its loader. */
function readablePaths(
  settings: SandboxSettings,
  staged: StagedPrograms,
  library: string,
): readonly string[] {
  const fromLibrary = createRequire(join(library, 'isolated-vm.js'));
  const loader = dirname(realpathSync(fromLibrary.resolve('node-gyp-build')));
  return [
    `${staged.folder}/`,
    `${library}/`,
    `${loader}/`,
    '/etc/alpine-release',
    ...(settings.runnerProgram?.readable ?? []),
  ];
}

function uidBarrier(settings: SandboxSettings, paths: readonly string[]): Barrier {
  const missing = (detail: string): Barrier => ({ name: 'uid', active: false, detail });
  if (!settings.uidRange) return missing('switched off by configuration');
  if (process.getuid?.() !== 0) return missing('the host is not root and can not change the user');
  const closed = [realpathSync(process.execPath), ...paths].map(closedPart).find(Boolean);
  if (closed) return missing(`other users may not read ${closed}`);
  const [first, last] = settings.uidRange;
  return { name: 'uid', active: true, detail: `one of ${first} to ${last} for each runner` };
}

/** The part of a path that a stranger can not pass; null when he can read it all. */
function closedPart(path: string): string | null {
  const OTHERS_READ = 0o4;
  const OTHERS_PASS = 0o1;
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return null;
  const needed = stat.isDirectory() ? OTHERS_READ | OTHERS_PASS : OTHERS_READ;
  if ((stat.mode & needed) !== needed) return path;
  for (let at = dirname(path); ; at = dirname(at)) {
    if ((statSync(at).mode & OTHERS_PASS) === 0) return at;
    if (at === dirname(at)) return null;
  }
}

function namespaceBarrier(settings: SandboxSettings): Barrier {
  const barrier = (active: boolean, detail: string): Barrier => ({
    name: 'namespace',
    active,
    detail,
  });
  if (settings.argvPrefix.length > 0) return barrier(false, 'left to the configured argvPrefix');
  if (process.getuid?.() === 0)
    return barrier(false, 'not used as root: runners have a user id of their own');
  if (process.platform !== 'linux') return barrier(false, 'only on Linux');
  const problem = failureOf([...NAMESPACE, process.execPath, '--version']);
  return problem === null
    ? barrier(true, 'user, process and network namespace of its own')
    : barrier(false, `unshare does not work here: ${problem}`);
}

function failureOf([file = '', ...args]: readonly string[]): string | null {
  const { status, error, stderr } = spawnSync(file, args, { timeout: PROBE_MS, encoding: 'utf8' });
  if (status === 0) return null;
  return (error?.message ?? stderr.trim().split('\n')[0]) || `exit code ${status}`;
}

function memoryBarrier(): Barrier {
  const active = existsSync('/proc/self/statm');
  const detail = active ? 'resident memory is looked at while calls run' : 'there is no /proc here';
  return { name: 'memory', active, detail };
}
