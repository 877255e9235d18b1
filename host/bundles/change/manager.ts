/**
 * What operators and owners do with plug-ins: checked, written down, made live.
 * May import: kernel, storage.
 */
import { codeOf, HostError } from '../../kernel/errors.ts';
import type { Change, ChangeQuery } from '../../storage/changes.ts';
import type { InstalledPlugin, InstalledStore } from '../../storage/installed.ts';
import type { KvStore } from '../../storage/kv-store.ts';
import type { TenantStore } from '../../storage/tenants.ts';
import type { Actor, PluginAdmin, PluginView } from './admin.ts';
import { readSource, type TrustPolicy } from '../source/bundle.ts';
import type { Catalogue } from '../live/catalogue.ts';
import { changesOfOwner } from './changes-of-owner.ts';
import type { Keeper } from '../live/keeper.ts';
import type { Logbook } from '../live/logbook.ts';
import { createInstaller, GOING_LIVE } from './installer.ts';
import * as records from './record.ts';
import { createTenantAdmin } from './tenant-admin.ts';
import { mustNotBeLocked, mustOwn, operatorOnly, unknownPlugin } from './rights.ts';
import { createTurns, type Turns } from '../live/turns.ts';
import { readManifest } from '../live/kept.ts';
import { viewOf } from './view.ts';

export interface ManagerOptions {
  readonly installed: InstalledStore;
  readonly tenants: TenantStore;
  readonly kv: Pick<KvStore, 'forget'>;
  readonly catalogue: Catalogue;
  readonly keeper: Keeper;
  readonly policy: TrustPolicy;
  readonly logbook: Pick<Logbook, 'forget'>;
}

interface Rooms extends ManagerOptions {
  readonly turns: Turns;
}

export function createManager(options: ManagerOptions): PluginAdmin {
  const rooms: Rooms = { ...options, turns: createTurns() };
  const { tenants, policy, turns } = rooms;
  const install = createInstaller(rooms);
  const view = (name: string, actor: Actor) => viewOf(rooms, name, actor);
  return {
    list: (actor) => list(rooms, actor),
    show: view,
    async upload(archive, upload, actor) {
      const map = upload.sourceMap ? Buffer.from(upload.sourceMap).toString() : null;
      return install(archive, await readSource(archive, policy, map), { ...upload, actor });
    },
    async approve(name, wanted, actor) {
      operatorOnly(actor, 'approve');
      const { version, digest } =
        typeof wanted === 'string' ? { version: wanted, digest: null } : wanted;
      return change(rooms, name, actor, {
        action: 'approve',
        async edit(record) {
          records.mustBeSame(record, version, digest);
          const manifest = await readManifest(rooms.installed, record, version);
          return records.approved(record, version, manifest);
        },
      });
    },
    rollback: (name, version, actor) =>
      change(rooms, name, actor, {
        action: 'rollback',
        async edit(record) {
          const target = records.rollbackTarget(record, version);
          const manifest = await readManifest(rooms.installed, record, target);
          records.mustBeAllowed(record, target, manifest);
          return records.rolledBack(record, target);
        },
      }),
    setEnabled: (name, enabled, actor) => change(rooms, name, actor, switched(enabled, actor)),
    remove: (name, actor) => turns.run(name, () => remove(rooms, name, actor)),
    ...createTenantAdmin({ ...rooms, view }),
    async changes(query, actor) {
      if (actor.owner === null) return tenants.changes.list(query);
      return changesFor(rooms, query, actor);
    },
  };
}

async function list(rooms: Rooms, actor: Actor): Promise<readonly PluginView[]> {
  const { catalogue, installed, keeper } = rooms;
  const names = new Set(catalogue.names);
  for (const { plugin } of await installed.list()) names.add(plugin);
  for (const { name } of keeper.states) names.add(name);
  const views: PluginView[] = [];
  for (const name of [...names].sort())
    try {
      views.push(await viewOf(rooms, name, actor));
    } catch (error) {
      // Somebody else's, or removed meanwhile.
      if (codeOf(error) !== 'PLUGIN_UNKNOWN') throw error;
    }
  return views;
}

interface Edit {
  readonly action: string;
  readonly edit: (record: InstalledPlugin) => Promise<InstalledPlugin>;
}

function switched(enabled: boolean, actor: Actor): Edit {
  return {
    action: enabled ? 'enable' : 'disable',
    async edit(record) {
      mustNotBeLocked(record, actor);
      return { ...record, enabled, locked: !enabled && actor.owner === null };
    },
  };
}

/** Read, change, try, save, make live, write down: refused when somebody else was faster, or when it would not run. */
function change(rooms: Rooms, name: string, actor: Actor, { action, edit }: Edit) {
  const { installed, tenants, keeper, catalogue, turns } = rooms;
  return turns.run(name, async () => {
    const record = await ownRecord(rooms, name, actor);
    const next = await edit(record);
    const version = next.enabled ? next.current : null;
    const plugin = version === null ? null : await keeper.load(next, version);
    return turns.run(GOING_LIVE, async () => {
      const refusal = plugin && catalogue.refusal(plugin);
      if (refusal) throw refusal;
      if ((await installed.save(next)) === null) throw records.changedMeanwhile(name);
      const subject = next.current;
      await tenants.changes.record({ who: actor.who, action, plugin: name, subject });
      await keeper.settle(name);
      return viewOf(rooms, name, actor);
    });
  });
}

/** Taken out of traffic first, so that no call writes anything after it was forgotten. */
async function remove(rooms: Rooms, name: string, actor: Actor): Promise<void> {
  const { installed, tenants, kv, keeper } = rooms;
  const record = await ownRecord(rooms, name, actor);
  // Whoever could remove it could bring it again as new.
  mustNotBeLocked(record, actor);
  const stopped = { ...record, enabled: false };
  const revision = await installed.save(stopped);
  if (revision === null) throw records.changedMeanwhile(name);
  await keeper.settle(name);
  await keeper.drained(name);
  await kv.forget(name);
  await tenants.forget(name, actor.who);
  // Last, so that who was interrupted can begin again.
  if (!(await installed.remove(name, revision))) throw records.changedMeanwhile(name);
  await records.dropBlobs(installed, record.versions);
  await tenants.changes.record({ who: actor.who, action: 'remove', plugin: name });
  await keeper.settle(name);
}

async function ownRecord(rooms: Rooms, name: string, actor: Actor): Promise<InstalledPlugin> {
  const record = await rooms.installed.get(name);
  if (!record) throw unknownPlugin(name, rooms.catalogue, actor);
  mustOwn(record, actor);
  return record;
}

async function changesFor(
  rooms: Rooms,
  query: ChangeQuery,
  actor: Actor,
): Promise<readonly Change[]> {
  const { plugin } = query;
  if (plugin === undefined)
    throw new HostError('BUNDLE_OWNER_FOREIGN', 'name the plug-in whose changes you want');
  await viewOf(rooms, plugin, actor);
  return changesOfOwner(rooms.tenants.changes, { ...query, plugin });
}
