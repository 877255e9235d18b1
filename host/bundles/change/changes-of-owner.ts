/**
 * The part of the audit log that the owner of a plug-in may read: since nobody else had its name.
 * May import: storage.
 */
import type { Change, ChangeLog, ChangeQuery } from '../../storage/changes.ts';

const PAGE = 1_000;
const DEFAULT_LIMIT = 100;

/** The latest first. What was before the last removal, or a first version that was taken back, may have been another owner's plug-in of the same name. */
export async function changesOfOwner(
  changes: ChangeLog,
  query: ChangeQuery & { readonly plugin: string },
): Promise<readonly Change[]> {
  const { plugin, limit = DEFAULT_LIMIT, org, before = Infinity } = query;
  const found: Change[] = [];
  let page = await changes.list({ plugin, limit: PAGE });
  for (;;) {
    const end = page.findIndex(({ action }) => action === 'remove' || action === 'forget');
    const mine = end < 0 ? page : page.slice(0, end);
    found.push(...mine.filter((one) => one.id < before && (org === undefined || one.org === org)));
    const last = page.at(-1);
    if (end >= 0 || !last || found.length >= limit) return found.slice(0, limit);
    page = await changes.list({ plugin, limit: PAGE, before: last.id });
  }
}
