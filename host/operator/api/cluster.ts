/**
 * `/cluster`: who is alive, who holds which lease, and what each host runs of what it should.
 * May import: kernel and everything below operator.
 */
import type { Hono } from 'hono';
import { z } from 'zod';

import type { PluginAdmin } from '../../bundles/change/admin.ts';
import type { Lease } from '../../cluster/leases.ts';
import type { LinkStatus } from '../../cluster/link/link.ts';
import type { Member } from '../../cluster/members.ts';
import { codeOf, HostError, messageOf } from '../../kernel/errors.ts';
import { pause } from '../../kernel/time.ts';
import { operatorOnly, type Caller, type ApiEnv } from '../identify.ts';

/** What the host knows of itself as one of several. */
export interface ClusterStatus extends LinkStatus {
  /** Of this process among the members. */
  readonly id: string;
  readonly leases: readonly Pick<Lease, 'name' | 'holder' | 'held' | 'token'>[];
}

export interface ClusterSource {
  status(): ClusterStatus;
  /** Throws a CLUSTER code. */
  members(): Promise<readonly Member[]>;
}

export interface ClusterPluginView {
  readonly name: string;
  /** What the host has live; null for nothing. */
  readonly version: string | null;
  /** What all hosts should have live; null when each has its own, from a folder. */
  readonly wanted: string | null;
  /** As the host told it; `missing` when it told nothing of it. */
  readonly state: string;
  readonly reason: string | null;
  readonly behind: boolean;
}

export interface ClusterMemberView {
  readonly id: string;
  readonly name: string;
  readonly alive: boolean;
  /** Dead, but a host of the same name is alive. */
  readonly replaced: boolean;
  readonly silentMs: number;
  /** The host that answers. */
  readonly self: boolean;
  /** What it told of itself, plug-ins apart. */
  readonly about: Readonly<Record<string, unknown>>;
  /** Null while it has not told what it runs. */
  readonly plugins: readonly ClusterPluginView[] | null;
}

export interface ClusterLeaseView {
  readonly name: string;
  /** Name of the host, or the id of one that nobody knows any more; null for nobody. */
  readonly holder: string | null;
  /** By the host that answers. */
  readonly held: boolean;
  /** Fencing token; only the holder knows it. */
  readonly token: number | null;
}

export type ClusterView =
  | { readonly configured: false }
  | {
      readonly configured: true;
      /** What is not as it should be, a line each. */
      readonly problems: readonly string[];
      readonly link: LinkStatus;
      readonly leases: readonly ClusterLeaseView[];
      /** Empty when they can't be read. */
      readonly members: readonly ClusterMemberView[];
    };

/** NATS has so long to say who there is, ms: an operator waits for it. */
const READ_MS = 5_000;

/** Add the route; it answers for a host that works alone, too. */
export function addCluster(
  app: Hono<ApiEnv>,
  source: ClusterSource | null,
  admin: PluginAdmin | null,
): void {
  app.get('/cluster', operatorOnly(), async (c) => {
    const view: ClusterView = source
      ? await lookAt(source, admin, c.var.caller)
      : { configured: false };
    return c.json(view);
  });
}

async function lookAt(
  source: ClusterSource,
  admin: PluginAdmin | null,
  caller: Caller,
): Promise<ClusterView> {
  const { id, leases, ...link } = source.status();
  const read = Promise.all([source.members(), wantedVersions(admin, caller)]);
  const [found, unread] = await inTime(read).then(
    (found) => [found, null] as const,
    (error: unknown) => [null, unreadable(error)] as const,
  );
  const [listed, wanted] = found ?? [[], new Map<string, string>()];
  const members = listed.map((member) => memberView(member, listed, wanted));
  return {
    configured: true,
    problems: [
      ...(link.reason === null ? [] : [`NATS: ${link.reason}`]),
      ...(unread === null || link.reason !== null ? [] : [`NATS: ${unread}`]),
      ...link.full.map((bucket) => `NATS: ${bucket} is full`),
      ...members.flatMap(problemsOf),
    ],
    link,
    leases: leases.map((lease) => leaseView(lease, members, id)),
    members,
  };
}

/** NATS that is away is what is to be shown; anything else is a defect. */
function unreadable(error: unknown): string {
  const code = codeOf(error);
  if (code === 'INTERNAL') throw error;
  return `${code}: ${messageOf(error)}`;
}

async function inTime<T>(read: Promise<T>): Promise<T> {
  const stop = new AbortController();
  const late = pause(READ_MS, stop.signal).then(() => {
    throw new HostError('CLUSTER_UNAVAILABLE', `no answer within ${READ_MS / 1_000} s`);
  });
  // Whoever loses the race has nobody to tell.
  late.catch(() => undefined);
  read.catch(() => undefined);
  return Promise.race([read, late]).finally(() => stop.abort());
}

/** Of plug-ins that are installed for all hosts. */
async function wantedVersions(
  admin: PluginAdmin | null,
  caller: Caller,
): Promise<Map<string, string>> {
  const wanted = new Map<string, string>();
  for (const { name, source, state, current } of (await admin?.list(caller)) ?? [])
    if (source === 'bundle' && state !== 'disabled' && current !== null) wanted.set(name, current);
  return wanted;
}

/** Hosts of another version may tell more or less: what does not fit is left out. */
const toldSchema = z.object({
  name: z.string().min(1).nullable().catch(null),
  plugins: z
    .array(
      z
        .object({
          name: z.string(),
          version: z.string().nullable(),
          state: z.string(),
          reason: z.string().nullable(),
        })
        .nullable()
        .catch(null),
    )
    .nullable()
    .catch(null),
});

function memberView(
  { id, alive, silentMs, self, about }: Member,
  all: readonly Member[],
  wanted: ReadonlyMap<string, string>,
): ClusterMemberView {
  const { plugins: _, ...rest } = about;
  const told = toldSchema.parse(about);
  const name = told.name ?? id;
  const replaced = !alive && all.some((other) => other.alive && other.about['name'] === name);
  const states = told.plugins?.flatMap((state) => state ?? []) ?? null;
  const plugins = states && [
    ...states.map((state) => pluginView(state, wanted)),
    ...missing(states, wanted),
  ];
  return {
    id,
    name,
    alive,
    replaced,
    silentMs,
    self,
    about: rest,
    plugins: plugins?.toSorted((a, b) => (a.name < b.name ? -1 : 1)) ?? null,
  };
}

type Told = Pick<ClusterPluginView, 'name' | 'version' | 'state' | 'reason'>;

function pluginView(
  { name, version, state, reason }: Told,
  all: ReadonlyMap<string, string>,
): ClusterPluginView {
  const wanted = all.get(name) ?? null;
  const behind = state === 'failed' || (wanted !== null && version !== wanted);
  return { name, version, wanted, state, reason, behind };
}

function missing(
  states: readonly Told[],
  wanted: ReadonlyMap<string, string>,
): ClusterPluginView[] {
  const told = new Set(states.map(({ name }) => name));
  return [...wanted]
    .filter(([name]) => !told.has(name))
    .map(([name, version]) => ({
      name,
      version: null,
      wanted: version,
      state: 'missing',
      reason: null,
      behind: true,
    }));
}

function leaseView(
  { name, holder, held, token }: ClusterStatus['leases'][number],
  members: readonly ClusterMemberView[],
  self: string,
): ClusterLeaseView {
  const known = members.find(({ id }) => id === (held ? self : holder));
  return { name, holder: known?.name ?? holder, held, token };
}

function problemsOf(member: ClusterMemberView): string[] {
  const { name, alive, replaced, silentMs, plugins } = member;
  if (replaced) return [];
  if (!alive) return [`${name}: dead: silent for ${Math.round(silentMs / 1_000)} s`];
  if (plugins === null) return [`${name}: has not told yet what it runs`];
  return plugins
    .filter(({ behind, reason }) => behind || reason !== null)
    .map((plugin) => `${name}: ${describe(plugin)}`);
}

function describe({ name, version, wanted, state, reason }: ClusterPluginView): string {
  const has = version === null ? state : `${state} in ${version}`;
  const should = wanted === null || wanted === version ? '' : `, and should be live in ${wanted}`;
  return `${name} is ${has}${should}${reason === null ? '' : `: ${reason}`}`;
}
