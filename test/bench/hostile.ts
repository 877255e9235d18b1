/**
 * A quiet org beside a hostile one, over the broker: its p99, and the lag and memory of the host meanwhile.
 * May import: test/bench.
 */
import { helloOrder, measured, type Sample } from './compare.ts';
import { median } from './figures.ts';
import type { Load, LoadOrder } from './load.ts';
import type { HostLook, HostPeer } from './peers.ts';

export interface Beside {
  readonly alone: Sample;
  readonly beside: Sample;
  /** Median over the rounds of p99 beside the hostile org to p99 alone. */
  readonly p99Ratio: number;
  readonly errors: number;
  readonly host: HostLook;
  /** Replies to the hostile org by status. */
  readonly hostile: Readonly<Record<string, number>>;
}

const ACTS = [
  'loop',
  'heap',
  'buffers',
  'strings',
  'recursion',
  'regex',
  'microtasks',
  'timers',
  'never',
  'logs',
  'hostCalls',
  'rejection',
  'json',
];
const QUIET_ORG = 100;
const HOSTILE_ORG = 200;
const HOSTILE_IN_FLIGHT = 4;

const HOSTILE: LoadOrder = {
  key: 'bench-hostile',
  method: 'GET',
  uris: ACTS.map((act) => `/api/bench/hostile/${act}`),
  orgs: 1,
  firstOrg: HOSTILE_ORG,
  bytes: 1_024,
  inFlight: HOSTILE_IN_FLIGHT,
  ms: 0,
};

export interface BesideOptions {
  readonly host: HostPeer;
  readonly quiet: Load;
  readonly hostile: Load;
  readonly rounds: number;
  readonly ms: number;
  /** The quiet org uses the plug-in that the hostile one attacks, too. */
  readonly samePlugin: boolean;
}

export async function besideHostile(options: BesideOptions): Promise<Beside> {
  const { host, quiet, hostile, rounds, ms, samePlugin } = options;
  const order: LoadOrder = {
    ...helloOrder('hello'),
    ...(samePlugin && { key: 'bench-hostile', uris: ['/api/bench/hostile/good'] }),
    orgs: 1,
    firstOrg: QUIET_ORG,
    bytes: 1_024,
    inFlight: 1,
    ms,
  };
  const alone: Sample[] = [];
  const beside: Sample[] = [];
  const looks: HostLook[] = [];
  const statuses: Record<string, number> = {};
  for (let round = 0; round < rounds; round += 1) {
    alone.push(await measured(quiet, host, order));
    host.watch();
    // Another org each time: the last one is in quarantine for what it did.
    const attack = hostile.run({ ...HOSTILE, firstOrg: HOSTILE_ORG + round, ms: ms + 200 });
    beside.push(await measured(quiet, host, order));
    const { statuses: seen } = await attack;
    looks.push(await host.look());
    for (const [status, count] of Object.entries(seen))
      statuses[status] = (statuses[status] ?? 0) + count;
  }
  const worst = (of: (look: HostLook) => number) => Math.max(...looks.map(of));
  return {
    alone: middle(alone),
    beside: middle(beside),
    p99Ratio: median(beside.map(({ p99 }, round) => p99 / (alone[round]?.p99 ?? Number.NaN))),
    errors: beside.reduce((sum, { errors }) => sum + errors, 0),
    host: {
      lagP99Ms: worst((look) => look.lagP99Ms),
      lagMaxMs: worst((look) => look.lagMaxMs),
      rssMb: worst((look) => look.rssMb),
    },
    hostile: statuses,
  };
}

function middle(samples: readonly Sample[]): Sample {
  const sorted = samples.toSorted((a, b) => a.p99 - b.p99);
  return sorted[Math.floor(sorted.length / 2)] as Sample;
}
