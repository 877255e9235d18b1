/**
 * How close a plug-in's tests came to its quotas.
 * May import: testing/protocol.
 */
import { appendFileSync } from 'node:fs';

import { type Quota, WATCHED } from './protocol.ts';

/** The most that any call used of one quota. */
export interface Headroom {
  readonly quota: Quota;
  readonly unit: 'ms' | 'MB' | 'calls' | 'bytes';
  readonly used: number;
  readonly limit: number;
  /** Share of the limit that was never used, 0 to 1. */
  readonly left: number;
}

const UNITS = {
  cpuMs: 'ms',
  wallMs: 'ms',
  memoryMb: 'MB',
  hostCalls: 'calls',
  responseBytes: 'bytes',
} as const satisfies Record<Quota, Headroom['unit']>;

export interface HeadroomMeter {
  /** Remember the amount when it is the most so far. */
  see(quota: Quota, used: number): void;
  report(): readonly Headroom[];
  /** Append the report, as one line, to the file that `vcx plugin test` named. */
  save(): void;
}

export function createHeadroom(limits: Readonly<Record<Quota, number>>): HeadroomMeter {
  const most: Record<Quota, number> = {
    cpuMs: 0,
    wallMs: 0,
    memoryMb: 0,
    hostCalls: 0,
    responseBytes: 0,
  };
  const report = () =>
    WATCHED.map((quota) => {
      const used = Math.round(most[quota] * 10) / 10;
      const limit = limits[quota];
      const left = limit > 0 ? Math.max(0, Math.round((1 - used / limit) * 1_000) / 1_000) : 0;
      return { quota, unit: UNITS[quota], used, limit, left };
    });
  return {
    see(quota, used) {
      if (used > most[quota]) most[quota] = used;
    },
    report,
    save() {
      const file = process.env['VCX_HEADROOM_FILE'];
      if (file) appendFileSync(file, `${JSON.stringify(report())}\n`);
    },
  };
}
