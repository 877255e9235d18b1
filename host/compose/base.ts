/**
 * What nearly every room is given, and what this host is called.
 * May import: kernel.
 */
import { hostname } from 'node:os';

import type { Config } from '../config.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';

export interface Base {
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Ends waiting for what may never come while the host is opened. */
  readonly stop?: AbortSignal | undefined;
}

/** As the other hosts and their operators see it. */
export function hostNameOf({ cluster }: Config): string {
  return cluster.hostName ?? `${hostname()}-${process.pid}`;
}
