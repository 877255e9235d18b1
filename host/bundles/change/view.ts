/**
 * What is shown of a plug-in: its record, what is live of it here, and why anything of it is not.
 * May import: storage.
 */
import type { InstalledPlugin, InstalledStore } from '../../storage/installed.ts';
import type { TenantStore } from '../../storage/tenants.ts';
import type { Actor, PluginView } from './admin.ts';
import { growthOf, termsOf } from './asks.ts';
import type { Catalogue } from '../live/catalogue.ts';
import type { Keeper, PluginState } from '../live/keeper.ts';
import { manifestOf } from '../live/kept.ts';
import { mustOwn, unknown } from './rights.ts';
import { versionsOf, type Shelf } from '../live/shelf.ts';

export interface ViewRooms {
  readonly installed: InstalledStore;
  readonly tenants: Pick<TenantStore, 'tenancy'>;
  readonly catalogue: Catalogue;
  readonly keeper: Pick<Keeper, 'states'>;
}

/** Throws PLUGIN_UNKNOWN, also for what this actor may not know of. */
export async function viewOf(rooms: ViewRooms, name: string, actor: Actor): Promise<PluginView> {
  const { installed, tenants, catalogue, keeper } = rooms;
  const record = await installed.get(name);
  const state = keeper.states.find((one) => one.name === name) ?? null;
  const shelf = catalogue.shelf(name);
  const orgs = tenants.tenancy(name)?.orgs ?? [];
  if (!record) {
    if (!state && !shelf) throw unknown(name);
    return { ...folderView(name, { shelf, state, actor }), orgs };
  }
  mustOwn(record, actor);
  return { ...(await bundleView(rooms, record, { shelf, state })), orgs };
}

interface Here {
  readonly shelf: Shelf | null;
  readonly state: PluginState | null;
}

function folderView(
  name: string,
  { shelf, state, actor }: Here & { actor: Actor },
): Omit<PluginView, 'orgs'> {
  const plugin = shelf?.current ?? null;
  const owner = plugin?.owner ?? { id: 'provider', kind: 'provider' as const };
  mustOwn({ plugin: name, owner: owner.id }, actor);
  return {
    name,
    description: plugin?.manifest.description ?? null,
    owner: owner.id,
    ownerKind: owner.kind,
    source: 'folder',
    state: plugin ? 'live' : 'failed',
    reason: state?.reason ?? null,
    current: plugin?.manifest.version ?? null,
    versions: [],
    waiting: null,
  };
}

async function bundleView(
  { installed, catalogue }: ViewRooms,
  record: InstalledPlugin,
  { shelf, state }: Here,
): Promise<Omit<PluginView, 'orgs'>> {
  const { plugin: name, owner, ownerKind, enabled, current, waiting, halted } = record;
  const served = catalogue.unfit(name) === null;
  const live = new Set(served && shelf ? versionsOf(shelf).map((one) => one.manifest.version) : []);
  const manifest = waiting === null ? null : await manifestOf(installed, record, waiting);
  const stopped = halted && `${halted.version} was stopped at ${halted.host}: ${halted.reason}`;
  const locked = record.locked ? 'the operator disabled it' : null;
  return {
    name,
    description: (shelf?.current ?? null)?.manifest.description ?? null,
    owner,
    ownerKind,
    source: 'bundle',
    state: !enabled
      ? 'disabled'
      : shelf?.current && served
        ? 'live'
        : current === null
          ? 'waiting'
          : 'failed',
    reason: locked ?? state?.reason ?? stopped,
    current,
    versions: record.versions.map(({ version, digest, installedAt, by, unsigned }) => ({
      version,
      digest,
      installedAt,
      by,
      unsigned,
      live: live.has(version),
    })),
    waiting:
      waiting === null
        ? null
        : { version: waiting, asks: manifest ? growthOf(termsOf(manifest), record.allowed) : [] },
  };
}
