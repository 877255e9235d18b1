/**
 * What the sandbox can be told, with defaults, and its resolved form.
 * May import: kernel, quotas.
 */
import { totalmem } from 'node:os';
import { silentLog, type Log } from '../kernel/log.ts';
import { createMetrics, type Metrics } from '../kernel/metrics.ts';
import { systemClock, type Clock } from '../kernel/time.ts';
import { MAX_CALLS_PER_ISOLATE } from '../quotas/limits.ts';
import type { BreakerOptions } from './calls/breaker.ts';

/** The trusted script that runs first in every isolate; see `sdk/guest/abi.ts`. */
export interface Prelude {
  readonly source: string;
  /** SHA-256 of `source`, hex. */
  readonly digest: string;
}

/** A program that speaks the frame protocol on descriptor 3; tests put a liar here. */
export interface RunnerProgram {
  readonly path: string;
  /** Folders and files it may read, beside the ones that every runner may. */
  readonly readable?: readonly string[];
}

export interface SandboxOptions {
  readonly prelude: Prelude;
  readonly log?: Log;
  readonly metrics?: Metrics;
  readonly clock?: Clock;

  /** Runners that stand ready, blank. @default 1 */
  readonly spares?: number;
  /** Runner processes at most, spares included. @default 64 */
  readonly maxRunners?: number;
  /** Orgs that share one runner. @default 200 */
  readonly orgsPerRunner?: number;
  /** Calls of one org of one plug-in that may wait for an isolate. @default 512 */
  readonly queuePerOrg?: number;
  /** Age of the oldest waiting call, ms, from which an org gets further isolates. @default 5 */
  readonly growAfterMs?: number;

  /** Calls that one isolate may hold at once, whatever its bundle says. @default 16 */
  readonly maxCallsPerIsolate?: number;
  /** An isolate without calls for so long is freed, ms. @default 60000 */
  readonly idleMs?: number;
  /** RSS of all runners together above which the isolates longest unused are freed, MB. @default half of the machine's memory */
  readonly memoryBudgetMb?: number;
  /** Calls after which an isolate is replaced; each new one compiles its hot code anew. @default 100000 */
  readonly isolateMaxCalls?: number;
  /** Age after which an isolate is replaced, ms. @default 600000 */
  readonly isolateMaxAgeMs?: number;
  /** Calls between two looks at the heap of an isolate, each of which is a trip into it. @default 64 */
  readonly heapEveryCalls?: number;
  /** Share of its memory limit above which an idle isolate is replaced. @default 0.7 */
  readonly isolateMaxHeapShare?: number;
  /** Calls after which a runner is replaced. @default 200000 */
  readonly runnerMaxCalls?: number;
  /** Age after which a runner is replaced, ms. @default 3600000 */
  readonly runnerMaxAgeMs?: number;
  /** RSS beyond its baseline and 8 MB for each isolate at which a runner is replaced, MB. @default 256 */
  readonly runnerMaxGrowthMb?: number;

  /** Wall time that work after the reply may take, ms. @default 30000 */
  readonly backgroundWallMs?: number;
  /** CPU that work after the reply may use, ms. @default 500 */
  readonly backgroundCpuMs?: number;
  /** Isolates of one org of one plug-in that may work after their reply outside its concurrency. @default 16 */
  readonly backgroundPerOrg?: number;
  /** CPU that loading a plug-in's script may use, ms. @default 2000 */
  readonly loadCpuMs?: number;
  /** Wall time that loading a plug-in's script may take, ms. @default 5000 */
  readonly loadWallMs?: number;
  /** Wall time of one entry into an isolate as a multiple of the CPU budget: the backstop behind that budget. @default 8 */
  readonly entryTimeoutFactor?: number;

  /** A disposed isolate must stand still within this time, ms; else its runner is killed. @default 100 */
  readonly disposeGraceMs?: number;
  /** A runner must answer a ping within this time, ms; else it is killed. @default 1500 */
  readonly heartbeatMs?: number;
  /** A runner must be ready within this time after its start, ms. @default 10000 */
  readonly readyMs?: number;
  /** How long an org whose call killed a runner is served from a runner of its own, ms. @default 60000 */
  readonly probationMs?: number;
  /** Breaker of one org of one plug-in, fed by runners it killed. @default 3 in 60 s, open 30 s to 10 min */
  readonly orgBreaker?: BreakerOptions;
  /** Breaker of one plug-in. @default 10 in 60 s, open 30 s to 10 min */
  readonly pluginBreaker?: BreakerOptions;
  /** Time for calls in flight when the sandbox is disposed or a version retired, ms. @default 10000 */
  readonly drainMs?: number;

  /** No JIT compiler in runners: slower, and a class of exploits less. @default false */
  readonly strict?: boolean;
  /** Words put before the runner's command line, e.g. `['bwrap', …]`. @default [] */
  readonly argvPrefix?: readonly string[];
  /** User ids for runners when the host is root, first and last; null runs them as root. @default [70000, 74999] */
  readonly uidRange?: readonly [number, number] | null;
  /** Replaces the runner program. For tests. */
  readonly runnerProgram?: RunnerProgram;
}

export const SANDBOX_DEFAULTS = {
  spares: 1,
  maxRunners: 64,
  orgsPerRunner: 200,
  queuePerOrg: 512,
  growAfterMs: 5,
  maxCallsPerIsolate: MAX_CALLS_PER_ISOLATE,
  idleMs: 60_000,
  isolateMaxCalls: 100_000,
  isolateMaxAgeMs: 600_000,
  heapEveryCalls: 64,
  isolateMaxHeapShare: 0.7,
  runnerMaxCalls: 200_000,
  runnerMaxAgeMs: 3_600_000,
  runnerMaxGrowthMb: 256,
  backgroundWallMs: 30_000,
  backgroundCpuMs: 500,
  backgroundPerOrg: 16,
  loadCpuMs: 2_000,
  loadWallMs: 5_000,
  entryTimeoutFactor: 8,
  disposeGraceMs: 100,
  heartbeatMs: 1_500,
  readyMs: 10_000,
  probationMs: 60_000,
  orgBreaker: { threshold: 3, windowMs: 60_000, pauseMs: 30_000, maxPauseMs: 600_000 },
  pluginBreaker: { threshold: 10, windowMs: 60_000, pauseMs: 30_000, maxPauseMs: 600_000 },
  drainMs: 10_000,
  strict: false,
  argvPrefix: [],
  uidRange: [70_000, 74_999],
} as const satisfies Partial<SandboxOptions>;

/** All options with a value each: what inner code sees. */
export type SandboxSettings = Readonly<
  Required<Omit<SandboxOptions, 'runnerProgram' | 'orgBreaker' | 'pluginBreaker'>>
> & {
  readonly runnerProgram: RunnerProgram | null;
  readonly orgBreaker: Required<BreakerOptions>;
  readonly pluginBreaker: Required<BreakerOptions>;
};

export function resolveOptions(options: SandboxOptions): SandboxSettings {
  return {
    log: silentLog,
    metrics: createMetrics(),
    clock: systemClock,
    memoryBudgetMb: Math.floor(totalmem() / 2 ** 21),
    runnerProgram: null,
    ...SANDBOX_DEFAULTS,
    ...options,
    orgBreaker: { ...SANDBOX_DEFAULTS.orgBreaker, ...options.orgBreaker },
    pluginBreaker: { ...SANDBOX_DEFAULTS.pluginBreaker, ...options.pluginBreaker },
  };
}
