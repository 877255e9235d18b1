/**
 * How much an org may keep here: its bundles take place before anybody has approved them.
 * May import: kernel, storage.
 */
import { HostError } from '../../kernel/errors.ts';
import type { InstalledPlugin } from '../../storage/installed.ts';
import type { Owner } from '../trust/trust.ts';

/** Over all plug-ins and versions of one org. */
const MAX_PLUGINS = 50;
const MAX_BYTES = 1_073_741_824;

export interface RoomWish {
  readonly plugin: string;
  readonly owner: Owner;
  /** Of archive and source map. */
  readonly bytes: number;
}

/** Throws BUNDLE_TOO_LARGE. The provider's are not bounded. */
export function checkRoom(
  records: readonly InstalledPlugin[],
  { plugin, owner, bytes }: RoomWish,
): void {
  if (owner.kind !== 'org') return;
  const own = records.filter((record) => record.owner === owner.id);
  const isNew = !own.some((record) => record.plugin === plugin);
  const kept = own
    .flatMap(({ versions }) => versions)
    .reduce((sum, version) => sum + (version.bytes ?? 0), 0);
  if ((!isNew || own.length < MAX_PLUGINS) && kept + bytes <= MAX_BYTES) return;
  throw new HostError(
    'BUNDLE_TOO_LARGE',
    `an org keeps ${MAX_PLUGINS} plug-ins and ${MAX_BYTES} bytes of bundles at most: remove what is not needed`,
  );
}
