/**
 * The two stores between which `vcx storage migrate` copies. Loaded for that command alone, since it loads NATS.
 * May import: everything.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { openLink } from '../cluster/link/link.ts';
import { openMembers } from '../cluster/members.ts';
import { openPulse } from '../cluster/pulse.ts';
import { openNatsChanges } from '../cluster/stores/changes.ts';
import { openNatsInstalled } from '../cluster/stores/installed.ts';
import { openNatsKv } from '../cluster/stores/kv.ts';
import { openNatsMovable } from '../cluster/stores/moving.ts';
import { linkOptions } from '../compose/cluster.ts';
import { sharedSeal } from '../compose/store.ts';
import type { Config } from '../config.ts';
import { silentLog } from '../kernel/log.ts';
import type { Movable } from '../storage/moving.ts';
import { loadSeal, type Seal } from '../storage/seal.ts';
import { openDatabase } from '../storage/sqlite/database.ts';
import { openSqliteInstalled } from '../storage/sqlite/installed.ts';
import { createSqliteMovable } from '../storage/sqlite/moving.ts';

export interface Stores extends AsyncDisposable {
  readonly sqlite: Movable;
  readonly nats: Movable;
  /** Names of the hosts that are alive on this NATS. */
  hosts(): Promise<readonly string[]>;
}

/** Throws CONFIG_INVALID or a CLUSTER code; waits for NATS for half a minute, or until the signal. */
export async function openStores(
  config: Config,
  to: 'nats' | 'sqlite',
  signal: AbortSignal,
): Promise<Stores> {
  await using stack = new AsyncDisposableStack();
  const seal = sharedSeal(config);
  const link = stack.use(await openLink(linkOptions(config, silentLog), signal));
  const about = {
    name: 'vcx storage migrate',
    pid: process.pid,
    startedAt: new Date().toISOString(),
  };
  const pulse = stack.use(await openPulse({ link, about }));
  const kv = stack.use(await openNatsKv({ link, pulse, maySweep: () => false }));
  const changes = await openNatsChanges({ link, pulse });
  const installed = stack.use(await openNatsInstalled(link));
  const nats = await openNatsMovable({ link, seal, kv, changes, installed });
  const sqlite = openSqlite(stack, config, to === 'nats' ? withOwnKey(seal, config) : seal);
  const members = openMembers(pulse);
  const opened = stack.move();
  return {
    sqlite,
    nats,
    async hosts() {
      const others = (await members.list()).filter(({ alive, self }) => alive && !self);
      return others.map(({ id, about: { name } }) => (typeof name === 'string' ? name : id));
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function openSqlite(stack: AsyncDisposableStack, { stateDir }: Config, seal: Seal): Movable {
  const database = openDatabase(join(stateDir, 'vcx.sqlite'));
  stack.defer(() => database.close());
  const installed = stack.use(openSqliteInstalled(database));
  return createSqliteMovable({ database, installed, seal });
}

/** A host that was alone may have sealed with a key that it made for itself; hosts of a cluster share another. */
function withOwnKey(shared: Seal, { stateDir }: Config): Seal {
  const file = join(stateDir, 'secrets.key');
  const own = existsSync(file) ? loadSeal(file) : null;
  return {
    seal: (text, about) => shared.seal(text, about),
    open: (sealed, about) => shared.open(sealed, about) ?? own?.open(sealed, about) ?? null,
  };
}
