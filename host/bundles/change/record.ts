/**
 * How the record of an installed plug-in changes: pure steps from one record to the next.
 * May import: kernel, storage.
 */
import { createHash } from 'node:crypto';

import { lt } from 'semver';

import { HostError } from '../../kernel/errors.ts';
import type { InstalledPlugin, InstalledStore, InstalledVersion } from '../../storage/installed.ts';
import type { TenantStore } from '../../storage/tenants.ts';
import type { Manifest } from '../manifest/manifest.ts';
import type { Owner } from '../trust/trust.ts';
import { growthOf, termsOf } from './asks.ts';

/** Versions kept besides those in use. */
const KEEP = 20;

export function freshRecord(plugin: string, owner: Owner): InstalledPlugin {
  return {
    plugin,
    revision: 0,
    owner: owner.id,
    ownerKind: owner.kind,
    enabled: true,
    current: null,
    history: [],
    waiting: null,
    allowed: [],
    halted: null,
    versions: [],
  };
}

/** This version goes live for all orgs without a pin. An older one that still waits does not any more. */
export function madeCurrent(record: InstalledPlugin, version: string): InstalledPlugin {
  const { current, history, waiting } = record;
  const before = current === null || current === version ? history : [current, ...history];
  return {
    ...record,
    current: version,
    history: [...new Set(before)].filter((one) => one !== version).slice(0, KEEP),
    waiting: waiting === null || waiting === version || lt(waiting, version) ? null : waiting,
    halted: null,
  };
}

/** What the waiting version asks for is allowed from now on. `manifest` is null when it could not be read. */
export function approved(
  record: InstalledPlugin,
  version: string,
  manifest: Manifest | null,
): InstalledPlugin {
  if (record.waiting !== version)
    throw new HostError(
      'PLUGIN_UNKNOWN',
      `${record.plugin} ${version} does not wait for approval${record.waiting === null ? '' : `; ${record.waiting} does`}`,
    );
  if (!manifest)
    throw new HostError('PLUGIN_UNKNOWN', `${record.plugin} ${version} can not be read`);
  const allowed = union(record.allowed, termsOf(manifest));
  return { ...madeCurrent(record, version), allowed };
}

/** Throws PLUGIN_CHANGED when another bundle stands under this version than the one that was looked at; null is any. */
export function mustBeSame(record: InstalledPlugin, version: string, digest: string | null): void {
  const known = record.versions.find((one) => one.version === version);
  if (known && digest !== null && known.digest !== digest)
    throw new HostError(
      'PLUGIN_CHANGED',
      `${record.plugin} ${version} is another bundle by now: look at it again`,
    );
}

/**
 * What was rolled back from does not come up again by a second rollback. Without a target: to the version that was
 * current before.
 */
export function rollbackTarget(record: InstalledPlugin, version: string | null): string {
  const { plugin, current, history, versions } = record;
  const target = version ?? history[0];
  if (target === undefined)
    throw new HostError('PLUGIN_UNKNOWN', `${plugin}: there is no version before ${current}`);
  if (versions.some((one) => one.version === target)) return target;
  throw new HostError(
    'PLUGIN_UNKNOWN',
    `${plugin} ${target} is not kept; kept are ${versions.map((one) => one.version).join(', ')}`,
  );
}

export function rolledBack(record: InstalledPlugin, target: string): InstalledPlugin {
  const history = record.history.filter((one) => one !== target);
  return { ...record, current: target, history, halted: null };
}

/**
 * Throws BUNDLE_OWNER_FOREIGN when the version asks for what nobody allowed: it waits, or it did and was passed by.
 * `manifest` is null when it could not be read.
 */
export function mustBeAllowed(
  { plugin, allowed }: InstalledPlugin,
  version: string,
  manifest: Manifest | null,
): void {
  if (!manifest) throw new HostError('PLUGIN_UNKNOWN', `${plugin} ${version} can not be read`);
  const growth = growthOf(termsOf(manifest), allowed);
  if (growth.length > 0)
    throw new HostError(
      'BUNDLE_OWNER_FOREIGN',
      `${plugin} ${version} asks for what the operator did not allow: ${growth.join(', ')}`,
    );
}

/** A host could not load the version: the one that it runs is put back, and why is kept. Null when that is none. */
export function haltedAt(
  record: InstalledPlugin,
  { host, reason, back }: { host: string; reason: string; back: string },
): InstalledPlugin | null {
  const { current, history, versions } = record;
  const known = versions.some(({ version }) => version === back);
  if (current === null || current === back || !known) return null;
  return {
    ...record,
    current: back,
    history: history.filter((one) => one !== back),
    halted: { version: current, host, reason },
  };
}

/** Versions that orgs stay with, as far as they are kept. */
export function pinsOf(
  tenants: Pick<TenantStore, 'view' | 'orgsOf'>,
  { plugin, versions }: InstalledPlugin,
): string[] {
  const known = new Set(versions.map(({ version }) => version));
  const pins = tenants.orgsOf(plugin).map((org) => tenants.view(plugin, org).version);
  return [...new Set(pins)]
    .filter((pin) => pin !== null)
    .filter((pin) => known.has(pin))
    .sort();
}

/** The record without versions that nobody needs; `inUse` are those that orgs stay with. */
export function trimmed(record: InstalledPlugin, inUse: ReadonlySet<string>): InstalledPlugin {
  const { versions, current, waiting, history } = record;
  const needed = new Set([current, waiting, ...history.slice(0, 3), ...inUse]);
  const spare = versions.filter(({ version }) => !needed.has(version));
  const dropped = new Set(spare.slice(0, Math.max(0, spare.length - KEEP)));
  const kept = versions.filter((one) => !dropped.has(one));
  const names = new Set(kept.map(({ version }) => version));
  return { ...record, versions: kept, history: history.filter((one) => names.has(one)) };
}

/** Remove those of these bytes that no record names any more. */
export async function dropBlobs(
  installed: InstalledStore,
  gone: readonly InstalledVersion[],
): Promise<void> {
  if (gone.length === 0) return;
  const records = await installed.list();
  const needed = new Set(records.flatMap(({ versions }) => versions.flatMap(blobsOf)));
  for (const hash of new Set(gone.flatMap(blobsOf)))
    if (!needed.has(hash)) await installed.dropBlob(hash);
}

function blobsOf({ archive, sourceMap }: InstalledVersion): string[] {
  return sourceMap === null ? [archive] : [archive, sourceMap];
}

/** As `putBlob` names them. */
export function blobHash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function union(one: readonly string[], other: readonly string[]): readonly string[] {
  return [...new Set([...one, ...other])].sort();
}

export function changedMeanwhile(plugin: string): HostError {
  return new HostError('PLUGIN_CHANGED', `${plugin} was changed at the same moment; try again`);
}
