/**
 * Raw echo, vcx and pika side by side: rates, latencies and CPU per message, in short windows that take turns.
 * May import: test/bench.
 */
import { brief, median } from './figures.ts';
import type { Load, LoadOrder } from './load.ts';
import type { Peer } from './peers.ts';
import { cpuMsOf } from './processes.ts';

export interface Sample {
  readonly rps: number;
  readonly p50: number;
  readonly p99: number;
  /** CPU of the consumer's own process and of those below it (runners), in microseconds a message. */
  readonly rootUs: number;
  readonly belowUs: number;
  /** Replies with another status than expected, and calls without a reply. */
  readonly errors: number;
}

export interface Cell {
  readonly inFlight: number;
  readonly bytes: number;
  /** By the name of the peer; medians over the rounds. */
  readonly peers: Readonly<Record<string, Sample>>;
  /** Medians of the ratio within each round, vcx to raw. */
  readonly rateOfRaw: number;
  readonly p50OverRaw: number;
  readonly p99OverRaw: number;
}

export interface Plan {
  readonly inFlight: number;
  readonly bytes: number;
  readonly rounds: number;
  readonly ms: number;
}

export const ORGS = 4;

export function planOf(quick: boolean): Plan[] {
  if (quick)
    return [
      { inFlight: 1, bytes: 1_024, rounds: 2, ms: 1_000 },
      { inFlight: 100, bytes: 1_024, rounds: 3, ms: 1_000 },
      { inFlight: 100, bytes: 10_240, rounds: 1, ms: 1_000 },
    ];
  return [1_024, 10_240, 102_400].flatMap((bytes) =>
    [1, 10, 100, 500].map((inFlight) => {
      const isTarget = bytes === 1_024 && (inFlight === 1 || inFlight === 100);
      return { inFlight, bytes, rounds: isTarget ? 3 : 1, ms: isTarget ? 2_000 : 1_000 };
    }),
  );
}

/** One cell of the matrix: every peer in turn, as often as the plan says. */
export async function compare(load: Load, peers: readonly Peer[], plan: Plan): Promise<Cell> {
  const found = new Map<string, Sample[]>(peers.map(({ name }) => [name, []]));
  for (let round = 0; round < plan.rounds; round += 1)
    for (const peer of peers) found.get(peer.name)?.push(await sample(load, peer, plan));
  const [raw = [], vcx = []] = [found.get('raw'), found.get('vcx')];
  const over = (of: (ours: Sample, theirs: Sample) => number) =>
    median(vcx.flatMap((ours, round) => (raw[round] ? [of(ours, raw[round])] : [])));
  return {
    inFlight: plan.inFlight,
    bytes: plan.bytes,
    peers: Object.fromEntries([...found].map(([name, samples]) => [name, middle(samples)])),
    rateOfRaw: over((ours, theirs) => ours.rps / theirs.rps),
    p50OverRaw: over((ours, theirs) => ours.p50 - theirs.p50),
    p99OverRaw: over((ours, theirs) => ours.p99 - theirs.p99),
  };
}

function middle(samples: readonly Sample[]): Sample {
  const of = (key: keyof Sample) => median(samples.map((sample) => sample[key]));
  return {
    rps: of('rps'),
    p50: of('p50'),
    p99: of('p99'),
    rootUs: of('rootUs'),
    belowUs: of('belowUs'),
    errors: samples.reduce((sum, { errors }) => sum + errors, 0),
  };
}

async function sample(load: Load, peer: Peer, { inFlight, bytes, ms }: Plan): Promise<Sample> {
  const order = { ...helloOrder(peer.key), bytes, inFlight, ms };
  return measured(load, peer, order);
}

export function helloOrder(key: string): Omit<LoadOrder, 'bytes' | 'inFlight' | 'ms'> {
  return { key, method: 'GET', uris: ['/api/hello?name=bench'], orgs: ORGS, firstOrg: 0 };
}

/** Run an order and charge the CPU of the window to its calls. */
export async function measured(load: Load, peer: Peer, order: LoadOrder): Promise<Sample> {
  const marks: ReturnType<typeof cpuMsOf>[] = [];
  const result = await load.run(order, () => marks.push(cpuMsOf(peer.pid)));
  const { calls, ms, p50, p99, statuses, lost } = result;
  const [from = { root: 0, below: 0 }, to = from] = marks;
  const wrong = Object.entries(statuses)
    .filter(([status]) => Number(status) !== peer.status)
    .reduce((sum, [, count]) => sum + count, 0);
  return {
    rps: (calls / ms) * 1_000,
    p50,
    p99,
    rootUs: ((to.root - from.root) * 1_000) / calls,
    belowUs: ((to.below - from.below) * 1_000) / calls,
    errors: wrong + lost,
  };
}

export const COMPARE_HEAD = [
  'in flight, bytes',
  'who',
  'calls/s',
  'p50 ms',
  'p99 ms',
  'us/call',
  'of it runners',
  'errors',
];

export function compareRows(name: string, peers: Readonly<Record<string, Sample>>): string[][] {
  return Object.entries(peers).map(([who, { rps, p50, p99, rootUs, belowUs, errors }]) => [
    name,
    who,
    rps.toFixed(0),
    brief(p50),
    brief(p99),
    brief(rootUs + belowUs),
    belowUs > 0 ? brief(belowUs) : '',
    errors > 0 ? String(errors) : '',
  ]);
}
