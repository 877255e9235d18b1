/**
 * `vcx plugin changes`: who changed what, and when.
 * May import: everything.
 */
import type { Change } from '../../../storage/changes.ts';
import type { Answer } from '../run.ts';
import type { Client } from './client.ts';
import { orgId, table, time } from './remote.ts';

export interface ChangesOptions {
  readonly plugin?: string;
  readonly org?: string;
  readonly before?: number;
  readonly limit: number;
}

/** The latest first. */
export async function changes(client: Client, options: ChangesOptions): Promise<Answer> {
  const { plugin, org, before, limit } = options;
  const query = new URLSearchParams({ limit: String(limit) });
  if (plugin !== undefined) query.set('plugin', plugin);
  if (org !== undefined) query.set('org', orgId(org));
  if (before !== undefined) query.set('before', String(before));
  const found = await client.get<{ changes: Change[] }>(`/changes?${query.toString()}`);
  const rows = found.changes.map(({ id, at, who, action, ...rest }) => [
    String(id),
    time(at),
    who,
    action,
    rest.plugin ?? '-',
    rest.org ?? '-',
    rest.subject ?? '',
  ]);
  const head = ['ID', 'TIME', 'WHO', 'ACTION', 'PLUGIN', 'ORG', 'WHAT'];
  return {
    ok: true,
    text: rows.length > 0 ? table([head, ...rows]) : ['nothing was changed'],
    json: { changes: found.changes },
  };
}
