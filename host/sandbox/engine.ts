/**
 * The state that all parts of the sandbox work on, and the fleets in it.
 * May import: kernel, quotas, runner's frame protocol.
 */
import type { GuestSetup } from '../../sdk/guest/abi.ts';
import { HEADER_BYTES } from '../runner/codec.ts';
import type { RunnerPlan } from '../runner/frames.ts';
import { createBreaker } from './calls/breaker.ts';
import type { CodeCache } from './process/code-cache.ts';
import type { SandboxSettings } from './options.ts';
import type { Pool } from './process/pool.ts';
import type { Fleet, Group, Lane, Slot } from './calls/records.ts';
import type { Runner } from './process/runner.ts';
import type { GuestBundle } from './sandbox.ts';

export interface Engine {
  readonly settings: SandboxSettings;
  readonly pool: Pool;
  readonly cache: CodeCache;
  readonly fleets: Map<string, Fleet>;
  /** Runners with isolates in use: what the ladder looks at. */
  readonly activeRunners: Set<Runner>;
  /** Lanes with waiting calls. */
  readonly waiting: Set<Lane>;
  /** Idle isolates, longest unused first. */
  readonly idle: Set<Slot>;
  now(): number;
  nextCall(): number;
  /** Something is in flight: the ladder has to look. */
  wake(): void;
  closing: boolean;
}

/** Text of a reply beside its base64 body: status and headers. */
const REPLY_HEAD_CHARS = 131_072;
const LOG_LINE_CHARS = 2_048;
const MAX_UTF8_BYTES = 3;
/** Wall time of one entry on the runner's own thread: tighter than elsewhere, since others wait meanwhile. */
const QUICK_TIMEOUT_FACTOR = 2;
const LEAST_QUICK_TIMEOUT_MS = 50;
/** Org of the lane in which suspects run; no org can have this name. */
const TRIAL_ORG = '\0trial';

const known = new WeakMap<GuestBundle, { readonly engine: Engine; readonly fleet: Fleet }>();

/** The fleet of a bundle, made when there is none or the last one was retired. */
export function fleetOf(engine: Engine, bundle: GuestBundle): Fleet {
  const found = known.get(bundle);
  if (found && found.engine === engine && !found.fleet.retired) return found.fleet;
  const { plugin, version, digest, isolation } = bundle;
  const rest = [isolation, bundle.limits, bundle.bindings, bundle.niced, bundle.callsPerIsolate];
  const key = `${plugin}\0${version}\0${digest}\0${JSON.stringify(rest)}`;
  let fleet = engine.fleets.get(key);
  if (!fleet) engine.fleets.set(key, (fleet = createFleet(engine, bundle, key)));
  known.set(bundle, { engine, fleet });
  return fleet;
}

/** The lane of an org in a fleet, made at its first call. */
export function laneOf(engine: Engine, fleet: Fleet, org: string): Lane {
  let lane = fleet.lanes.get(org);
  if (!lane) fleet.lanes.set(org, (lane = createLane(engine, fleet, org, 'org')));
  return lane;
}

export function createGroup(own: boolean): Group {
  return { runners: new Set(), own, starting: null };
}

function createFleet(engine: Engine, bundle: GuestBundle, key: string): Fleet {
  const plan = planOf(engine.settings, bundle);
  const chars = Math.max(plan.replyChars, plan.hostCallBytes);
  const fleet = {
    key,
    bundle,
    lanes: new Map(),
    shared: createGroup(false),
    breaker: createBreaker(engine.settings.pluginBreaker),
    plan: JSON.stringify(plan),
    frameBytes: chars * MAX_UTF8_BYTES + HEADER_BYTES,
    retired: false,
    lastUsed: engine.now(),
  } as Omit<Fleet, 'trial'> as Fleet;
  return Object.assign(fleet, { trial: createLane(engine, fleet, TRIAL_ORG, 'trial') });
}

function createLane(engine: Engine, fleet: Fleet, org: string, kind: Lane['kind']): Lane {
  return {
    org,
    fleet,
    kind,
    seats: seatsOf(engine.settings, fleet.bundle, kind),
    slots: new Set(),
    idle: [],
    queue: [],
    breaker: createBreaker(engine.settings.orgBreaker),
    used: 0,
    opening: 0,
    background: 0,
    home: null,
    own: null,
    soloUntil: kind === 'trial' || fleet.bundle.isolation === 'org' ? Infinity : 0,
    suspicion: 0,
    suspectedAt: -Infinity,
    growAt: 0,
    lastUsed: engine.now(),
    shortCalls: 0,
    straightCalls: 0,
    slowUntil: 0,
  };
}

/** Suspects run alone, and so does who wants an isolate for each call. */
function seatsOf(settings: SandboxSettings, bundle: GuestBundle, kind: Lane['kind']): number {
  if (kind === 'trial' || bundle.isolation === 'request') return 1;
  return Math.min(bundle.callsPerIsolate ?? 1, settings.maxCallsPerIsolate);
}

function planOf(settings: SandboxSettings, { limits, bindings }: GuestBundle): RunnerPlan {
  const setup: GuestSetup = {
    bindings,
    responseBytes: limits.responseBytes,
    logLineChars: LOG_LINE_CHARS,
  };
  return {
    memoryMb: limits.memoryMb,
    cpuMs: limits.cpuMs,
    backgroundCpuMs: settings.backgroundCpuMs,
    backgroundWallMs: settings.backgroundWallMs,
    loadCpuMs: settings.loadCpuMs,
    loadWallMs: settings.loadWallMs,
    heapEvery: settings.heapEveryCalls,
    entryTimeoutMs: Math.ceil(limits.cpuMs * settings.entryTimeoutFactor),
    quickTimeoutMs: Math.max(LEAST_QUICK_TIMEOUT_MS, limits.cpuMs * QUICK_TIMEOUT_FACTOR),
    hostCalls: limits.hostCalls,
    hostCallBytes: limits.hostCallBytes,
    logLines: limits.logLines,
    replyChars: Math.ceil((limits.responseBytes * 4) / 3) + REPLY_HEAD_CHARS,
    setup: JSON.stringify(setup),
  };
}
