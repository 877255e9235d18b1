/**
 * Several hosts on one state: what SQLite keeps for one host alone is kept in NATS. Loaded only when it is configured.
 * May import: everything below.
 */
import { openLease, type Lease } from '../cluster/leases.ts';
import { openLink, type Link, type LinkStatus } from '../cluster/link/link.ts';
import type {
  BucketName,
  ClusterCredentials,
  ClusterOptions,
  ClusterTls,
} from '../cluster/link/options.ts';
import { openMembers, type Member } from '../cluster/members.ts';
import { openPulse, type Pulse } from '../cluster/pulse.ts';
import { openNatsChanges } from '../cluster/stores/changes.ts';
import { openNatsHandledEvents } from '../cluster/stores/handled-events.ts';
import { openNatsInstalled } from '../cluster/stores/installed.ts';
import { openNatsJournal } from '../cluster/stores/journal.ts';
import { openNatsKv } from '../cluster/stores/kv.ts';
import { openNatsOpenBlocking } from '../cluster/stores/open-blocking.ts';
import { openNatsOpenTasks } from '../cluster/stores/open-tasks.ts';
import { openNatsTenants } from '../cluster/stores/tenants.ts';
import type { PluginState } from '../bundles/live/keeper.ts';
import type { Config } from '../config.ts';
import { HostError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { ClusterStatus } from '../operator/api/cluster.ts';
import type { Seal } from '../storage/seal.ts';
import { hostNameOf, type Base } from './base.ts';
import type { SharedStore } from './shared-store.ts';

export interface Cluster {
  readonly store: SharedStore;
  /** Of several hosts the holder registers services and cleans up after others. */
  readonly registrar: Lease;
  readonly cleaner: Lease;
  /** Called when this host becomes the registrar, or is it no more. */
  watchRegistrar(changed: () => void): Disposable;
  /** Tell the others what this host runs. */
  tell(plugins: readonly PluginState[]): Promise<void>;
  members(): Promise<readonly Member[]>;
  /** Why NATS does not answer, or null. */
  reason(): string | null;
  status(): ClusterStatus;
}

/** Closed with the stack. Throws a CLUSTER code or CONFIG_INVALID; waits for NATS for half a minute. */
export async function openCluster(
  stack: AsyncDisposableStack,
  { config, log, stop }: Base,
  seal: Seal,
): Promise<Cluster> {
  const link = stack.use(await openLink(linkOptions(config, log), stop));
  const about = aboutOf(config);
  const pulse = stack.use(await openPulse({ link, about }));
  const leases = { link, holder: pulse.id };
  const watchers = new Set<() => void>();
  const onChange = () => {
    for (const watcher of watchers) watcher();
  };
  const registrar = stack.use(await openLease({ ...leases, name: 'registrar', onChange }));
  const cleaner = stack.use(await openLease({ ...leases, name: 'cleaner' }));
  const members = openMembers(pulse);
  const leaseOf = ({ name, holder, held, token }: Lease) => ({ name, holder, held, token });
  return {
    store: await openStores(stack, { link, pulse, seal, cleaner }),
    registrar,
    cleaner,
    watchRegistrar(changed) {
      watchers.add(changed);
      return { [Symbol.dispose]: () => watchers.delete(changed) };
    },
    tell: (plugins) => pulse.tell({ ...about, plugins }),
    members: () => members.list(),
    reason: () => problemOf(link.status()),
    status: () => ({ ...link.status(), id: pulse.id, leases: [registrar, cleaner].map(leaseOf) }),
  };
}

/** A full bucket refuses writes, whatever else NATS answers. */
function problemOf({ reason, full }: LinkStatus): string | null {
  if (reason !== null || full.length === 0) return reason;
  return `CLUSTER_STORE_FULL: ${full.join(', ')}`;
}

/** Throws CONFIG_INVALID. */
export function linkOptions(config: Config, log: Log): ClusterOptions {
  const { servers, prefix, replicas, bytes } = config.cluster;
  return {
    servers,
    prefix,
    replicas,
    bytes: definedOf(bytes),
    credentials: credentialsOf(config),
    tls: tlsOf(config),
    name: hostNameOf(config),
    log,
  };
}

interface StoreParts {
  readonly link: Link;
  readonly pulse: Pulse;
  readonly seal: Seal;
  readonly cleaner: Lease;
}

async function openStores(
  stack: AsyncDisposableStack,
  { link, pulse, seal, cleaner }: StoreParts,
): Promise<SharedStore> {
  const changes = await openNatsChanges({ link, pulse });
  return {
    journal: stack.use(await openNatsJournal({ link, pulse, seal })),
    handledEvents: await openNatsHandledEvents(link),
    kv: stack.use(await openNatsKv({ link, pulse, maySweep: () => cleaner.held })),
    openTasks: stack.use(await openNatsOpenTasks({ link, pulse })),
    openBlocking: stack.use(await openNatsOpenBlocking({ link, pulse })),
    tenants: stack.use(await openNatsTenants({ link, seal, changes })),
    installed: stack.use(await openNatsInstalled(link)),
  };
}

/** Without the keys that were not set. */
function definedOf(bytes: Config['cluster']['bytes']): Partial<Record<BucketName, number>> {
  return Object.fromEntries(Object.entries(bytes).filter(([, value]) => value !== undefined));
}

function aboutOf(config: Config) {
  return { name: hostNameOf(config), pid: process.pid, startedAt: new Date().toISOString() };
}

function credentialsOf({ cluster }: Config): ClusterCredentials | null {
  const { user, passwordFile, nkeyFile, credentialsFile } = cluster;
  if (
    [user ?? passwordFile, nkeyFile, credentialsFile].filter((one) => one !== undefined).length > 1
  )
    throw new HostError(
      'CONFIG_INVALID',
      'cluster: one of user, nkeyFile and credentialsFile says who this host is, not several',
    );
  if (nkeyFile !== undefined) return { kind: 'nkey', seedFile: nkeyFile };
  if (credentialsFile !== undefined) return { kind: 'creds', file: credentialsFile };
  if (user === undefined && passwordFile === undefined) return null;
  if (user === undefined || passwordFile === undefined)
    throw new HostError('CONFIG_INVALID', 'cluster: user and passwordFile go together');
  return { kind: 'password', user, passwordFile };
}

function tlsOf({ cluster: { caFile, certFile, keyFile } }: Config): ClusterTls | null {
  if (caFile === undefined && certFile === undefined && keyFile === undefined) return null;
  return {
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
  };
}
