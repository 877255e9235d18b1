/**
 * What one call and one isolate may spend: every limit with unit, default and ceiling.
 * May import: kernel.
 */

export interface LimitInfo {
  readonly unit: string;
  readonly default: number;
  readonly min: number;
  /** Highest value a manifest may ask for unless the operator raises it. */
  readonly ceiling: number;
  readonly means: string;
}

export const LIMITS = {
  cpuMs: { unit: 'ms', default: 100, min: 5, ceiling: 2_000, means: 'CPU time of one call' },
  wallMs: {
    unit: 'ms',
    default: 5_000,
    min: 10,
    ceiling: 30_000,
    means:
      'time from dispatch to the response, host calls included; the deadline of the call may end it earlier',
  },
  memoryMb: { unit: 'MB', default: 64, min: 16, ceiling: 256, means: 'heap of one isolate' },
  requestBytes: {
    unit: 'bytes',
    default: 262_144,
    min: 1_024,
    ceiling: 10_485_760,
    means: 'request body',
  },
  responseBytes: {
    unit: 'bytes',
    default: 262_144,
    min: 1_024,
    ceiling: 10_485_760,
    means: 'response body',
  },
  hostCalls: {
    unit: 'calls',
    default: 200,
    min: 0,
    ceiling: 10_000,
    means: 'host calls of one call',
  },
  hostCallBytes: {
    unit: 'bytes',
    default: 1_048_576,
    min: 0,
    ceiling: 67_108_864,
    means: 'arguments and results of the host calls of one call',
  },
  logLines: {
    unit: 'lines',
    default: 100,
    min: 0,
    ceiling: 1_000,
    means:
      'log lines of one call; further ones are dropped, which the log says and `sandbox_logs_cut_total` counts',
  },
  ratePerSecond: {
    unit: 'calls/s',
    default: 10_000,
    min: 1,
    ceiling: 100_000,
    means: 'calls of one org over time',
  },
  burst: {
    unit: 'calls',
    default: 10_000,
    min: 1,
    ceiling: 100_000,
    means: 'calls of one org above its rate after a quiet time',
  },
  cpuPerSecondMs: {
    unit: 'ms/s',
    default: 1_000,
    min: 1,
    ceiling: 8_000,
    means:
      'CPU time that flows into the bucket of one org; over it, its calls run in a niced runner of their own',
  },
  cpuBucketMs: {
    unit: 'ms',
    default: 60_000,
    min: 100,
    ceiling: 3_600_000,
    means: 'CPU time that one org may save up; a debt as large refuses its calls',
  },
  concurrency: {
    unit: 'calls',
    default: 16,
    min: 1,
    ceiling: 64,
    means: 'calls of one org in flight at once',
  },
} as const satisfies Record<string, LimitInfo>;

/** Calls that one isolate may hold at once, where the manifest asks for it. */
export const MAX_CALLS_PER_ISOLATE = 16;

export type LimitName = keyof typeof LIMITS;
/** All limits of one plug-in, resolved: what inner code sees. */
export type Limits = Readonly<Record<LimitName, number>>;

export function defaultLimits(): Limits {
  const entries = Object.entries(LIMITS).map(([name, info]) => [name, info.default]);
  return Object.fromEntries(entries) as Limits;
}
