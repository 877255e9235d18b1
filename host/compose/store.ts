/**
 * Everything that is kept, as ports: in the one SQLite file of this machine, or in NATS for several hosts.
 * May import: everything below.
 */
import { join } from 'node:path';

import type { Config } from '../config.ts';
import { readSecret } from './options.ts';
import type { KnownBindings } from '../message/events.ts';
import { loadSeal, sealFromText, type Seal } from '../storage/seal.ts';
import { openDatabase } from '../storage/sqlite/database.ts';
import { openSqliteHandledEvents } from '../storage/sqlite/handled-events.ts';
import { openSqliteInstalled } from '../storage/sqlite/installed.ts';
import { openSqliteJournal } from '../storage/sqlite/journal.ts';
import { openSqliteKv } from '../storage/sqlite/kv.ts';
import { createSqliteKnownBindings } from '../storage/sqlite/known-bindings.ts';
import { createSqliteOpenBlocking } from '../storage/sqlite/open-blocking.ts';
import { createSqliteOpenTasks } from '../storage/sqlite/open-tasks.ts';
import { createSqliteTenants } from '../storage/sqlite/tenants.ts';
import { HostError } from '../kernel/errors.ts';
import type { Cluster } from './cluster.ts';
import { createSqliteTokens } from '../storage/sqlite/tokens.ts';
import type { TokenStore } from '../storage/tokens.ts';
import type { Base } from './base.ts';
import type { SharedStore } from './shared-store.ts';

export interface Store extends SharedStore {
  /** What this host bound; others on this machine share it. */
  readonly knownBindings: KnownBindings;
  /** Of this host alone: who may use its operator endpoint. */
  readonly tokens: TokenStore;
  /** Null when this host works alone. */
  readonly cluster: Cluster | null;
}

/** Closed with the stack. Throws CONFIG_INVALID, or a CLUSTER code. */
export async function openStore(stack: AsyncDisposableStack, base: Base): Promise<Store> {
  const { config, log } = base;
  const database = openDatabase(join(config.stateDir, 'vcx.sqlite'));
  stack.defer(() => database.close());
  const own = {
    knownBindings: createSqliteKnownBindings(database),
    tokens: createSqliteTokens(database),
  };
  if (config.cluster.servers.length > 0) {
    // With no servers configured none of it is loaded.
    const { openCluster } = await import('./cluster.ts');
    const cluster = await openCluster(stack, base, sharedSeal(config));
    return { ...own, ...cluster.store, cluster };
  }
  const seal = loadSeal(join(config.stateDir, 'journal.key'));
  return {
    ...own,
    journal: stack.use(openSqliteJournal({ database, seal, log })),
    handledEvents: stack.use(openSqliteHandledEvents({ database, log })),
    kv: stack.use(openSqliteKv(database)),
    openTasks: createSqliteOpenTasks(database),
    openBlocking: createSqliteOpenBlocking(database),
    tenants: createSqliteTenants({ database, seal: secretsSeal(config) }),
    installed: stack.use(openSqliteInstalled(database)),
    cluster: null,
  };
}

/**
 * What one host sealed the others must be able to open: a key that each makes for itself would not do. Throws
 * CONFIG_INVALID.
 */
export function sharedSeal(config: Config): Seal {
  const { key, keyFile } = config.secrets;
  if (key === undefined && keyFile === undefined)
    throw new HostError(
      'CONFIG_INVALID',
      'secrets.keyFile: several hosts need the same key: 32 bytes in base64 (`openssl rand -base64 32`)',
    );
  return secretsSeal(config);
}

/** The key of the orgs' secrets: from the environment, a file of the operator's, or one that is made here. */
export function secretsSeal({ secrets, stateDir }: Config): Seal {
  if (secrets.key !== undefined) return sealFromText(secrets.key, 'secrets.key');
  if (secrets.keyFile !== undefined)
    return sealFromText(readSecret('secrets.keyFile', secrets.keyFile), 'secrets.keyFile');
  return loadSeal(join(stateDir, 'secrets.key'));
}
