/**
 * Takes a bundle in: owner, version, claims and powers are checked, it is run once, and then recorded and made live.
 * May import: kernel, storage.
 */
import { lt, valid } from 'semver';

import { HostError, messageOf } from '../../kernel/errors.ts';
import type { InstalledPlugin, InstalledStore } from '../../storage/installed.ts';
import type { KvStore } from '../../storage/kv-store.ts';
import type { TenantStore } from '../../storage/tenants.ts';
import type { Actor, Uploaded, UploadOptions } from './admin.ts';
import { asksOf, growthOf, termsOf } from './asks.ts';
import type { CheckedSource } from '../source/bundle.ts';
import type { Catalogue, LivePlugin } from '../live/catalogue.ts';
import { checkClaims } from '../live/claims.ts';
import type { Keeper } from '../live/keeper.ts';
import type { Logbook } from '../live/logbook.ts';
import * as records from './record.ts';
import { checkRoom } from './room.ts';
import type { Turns } from '../live/turns.ts';

export interface InstallerOptions {
  readonly installed: InstalledStore;
  readonly tenants: TenantStore;
  readonly kv: Pick<KvStore, 'forget'>;
  readonly logbook: Pick<Logbook, 'forget'>;
  readonly catalogue: Catalogue;
  readonly keeper: Keeper;
  /** By the name of the plug-in, and GOING_LIVE. */
  readonly turns: Turns;
}

interface Upload extends UploadOptions {
  readonly actor: Actor;
}

interface Arrival {
  readonly archive: Uint8Array;
  readonly source: CheckedSource;
  readonly upload: Upload;
}

type Install = (archive: Uint8Array, source: CheckedSource, upload: Upload) => Promise<Uploaded>;

const MAX_TERMS = 5_000;

/** No plug-in has this name: what may claim what others hold goes live one after the other. */
export const GOING_LIVE = '*';

/** Uploads of one plug-in go one after the other; nothing is changed by one that is refused. */
export function createInstaller(options: InstallerOptions): Install {
  return (archive, source, upload) =>
    options.turns.run(source.manifest.name, () => installOne(options, { archive, source, upload }));
}

async function installOne(options: InstallerOptions, arrival: Arrival): Promise<Uploaded> {
  const { installed, catalogue, keeper, turns } = options;
  const { source, upload } = arrival;
  const { name, version } = source.manifest;
  mayUpload(source, upload.actor);
  if (catalogue.shelf(name)?.current?.source === 'folder')
    throw new HostError('BUNDLE_NAME_TAKEN', `${name} is source in a folder of the configuration`);
  const known = await installed.get(name);
  const record = known ?? records.freshRecord(name, source.owner);
  const asks = asksOf(source.manifest);
  const answer = { name, version, digest: source.digest, asks };
  checkOwner(record, source);
  if (await isSame(options, arrival, record)) return { ...answer, state: 'same' };
  checkVersion(record, source, upload.force ?? false);
  checkClaims(source, catalogue.others(name));
  checkRoom(await installed.list(), {
    plugin: name,
    owner: source.owner,
    bytes: arrival.archive.byteLength + (upload.sourceMap?.byteLength ?? 0),
  });
  const plugin = await keeper.prepare(source);
  if (!upload.force) checkConfigs(options.tenants, plugin);

  // What the operator installs for the first time, they allow by doing so; what grows later they are asked about.
  const allows = upload.actor.owner === null && (!known || (upload.approve ?? false));
  const terms = termsOf(source.manifest);
  const growth = allows ? [] : growthOf(terms, record.allowed);
  // Nothing that waits changes what is allowed.
  const allowed = growth.length > 0 ? record.allowed : records.union(record.allowed, terms);
  checkTerms(allowed);
  return turns.run(GOING_LIVE, async () => {
    checkClaims(source, catalogue.others(name));
    if (!known) await forgetTraces(options, name);
    const held = await withVersion(options, { ...record, allowed }, arrival);
    if (growth.length > 0) {
      await saveRecord(options, { before: record, next: { ...held, waiting: version } }, arrival);
      await keeper.settle(name);
      return { ...answer, state: 'waiting', asks: growth };
    }
    const next = records.madeCurrent(held, version);
    await saveRecord(options, { before: record, next }, arrival);
    await goLive(options, record, arrival);
    return { ...answer, state: record.enabled ? 'live' : 'disabled' };
  });
}

/** Installed already, signature and all, and so it stays. What should be live and is not is tried again. */
async function isSame(
  { keeper }: InstallerOptions,
  { archive, source, upload }: Arrival,
  { current, versions }: InstalledPlugin,
): Promise<boolean> {
  const { name, version } = source.manifest;
  const entry = versions.find((one) => one.version === version);
  if (!entry || entry.digest !== source.digest) return false;
  if (current !== version) return upload.onlyNew ?? false;
  // Where the digest is the same and the bytes are not, it was signed anew.
  if (entry.archive !== records.blobHash(archive)) return false;
  await keeper.settle(name);
  return true;
}

/** Nobody inherits what a host that was slow to hear of its removal wrote for the last plug-in of this name. */
async function forgetTraces(
  { tenants, kv, logbook }: InstallerOptions,
  name: string,
): Promise<void> {
  // What a folder of the provider held keeps its data when it comes as a bundle.
  if (tenants.tenancy(name)) return;
  await kv.forget(name);
  logbook.forget(name);
}

async function saveRecord(
  { installed, tenants }: InstallerOptions,
  { before, next }: { before: InstalledPlugin; next: InstalledPlugin },
  { source, upload: { actor } }: Arrival,
): Promise<void> {
  const { name, version } = source.manifest;
  const kept = records.trimmed(next, new Set(records.pinsOf(tenants, next)));
  try {
    await tenants.adopt(name, tenancyOf(source), actor.who);
    if ((await installed.save(kept)) === null) throw records.changedMeanwhile(name);
  } catch (error) {
    await records.dropBlobs(installed, next.versions);
    throw error;
  }
  await records.dropBlobs(installed, before.versions);
  const grown = before.revision > 0 && growthOf(next.allowed, before.allowed).length > 0;
  if (grown)
    await tenants.changes.record({
      who: actor.who,
      action: 'approve',
      plugin: name,
      subject: version,
    });
  await tenants.changes.record({
    who: actor.who,
    action: before.revision === 0 ? 'install' : 'upgrade',
    plugin: name,
    subject: version,
    after: source.digest,
  });
}

/** Make live what was recorded; when that fails, the record is put back to what it was. */
async function goLive(
  { installed, tenants, catalogue, keeper }: InstallerOptions,
  before: InstalledPlugin,
  { source, upload: { actor } }: Arrival,
): Promise<void> {
  const { name, version } = source.manifest;
  await keeper.settle(name);
  if (!before.enabled || catalogue.shelf(name)?.current?.digest === source.digest) return;
  const saved = await installed.get(name);
  const stopped = stoppedBy(saved, version);
  // What somebody did to it in the meantime stands.
  if (stopped === null && (saved?.current !== version || !saved.enabled))
    throw records.changedMeanwhile(name);
  const reason =
    stopped ?? keeper.states.find((state) => state.name === name)?.reason ?? 'it did not go live';
  if (saved?.current === version) {
    const { revision } = saved;
    const known = before.versions.some((one) => one.version === version);
    // Of the versions that were there, those that were trimmed meanwhile are gone.
    const versions = saved.versions.filter((one) => known || one.version !== version);
    const about = { plugin: name, subject: version };
    await tenants.changes.record({ who: actor.who, action: 'revert', ...about });
    if (before.revision > 0) await installed.save({ ...before, revision, versions });
    else if (await installed.remove(name, revision)) await tenants.forget(name, actor.who);
    await records.dropBlobs(installed, saved.versions);
    await keeper.settle(name);
  }
  throw new HostError('BUNDLE_INVALID', `${name} ${version}: ${reason}`);
}

/** Another host may have been faster to find that it can't run there, and has put the record back. */
function stoppedBy(saved: InstalledPlugin | null, version: string): string | null {
  if (saved?.halted?.version !== version) return null;
  return `stopped at ${saved.halted.host}: ${saved.halted.reason}`;
}

/** An owner brings their own bundles; the operator anybody's. */
function mayUpload({ owner, manifest }: CheckedSource, actor: Actor): void {
  if (actor.owner === null || actor.owner === owner.id) return;
  throw new HostError(
    'BUNDLE_OWNER_FOREIGN',
    `${manifest.name} is signed by ${owner.id}: only they and the operator may install it`,
  );
}

function checkOwner({ plugin, owner }: InstalledPlugin, { owner: signer }: CheckedSource): void {
  if (owner !== signer.id)
    throw new HostError('BUNDLE_NAME_TAKEN', `the name ${plugin} is held by ${owner} already`);
}

/** Throws when the version may not follow on the record. */
function checkVersion(
  { plugin, current, versions }: InstalledPlugin,
  { manifest: { version }, digest }: CheckedSource,
  force: boolean,
): void {
  if (valid(version) === null)
    throw new HostError('BUNDLE_INVALID', `plugin.json: version: ${version} is not such as 1.2.0`);
  const known = versions.find((one) => one.version === version);
  if (known && known.digest !== digest)
    throw new HostError(
      'BUNDLE_VERSION_TAKEN',
      `${plugin} ${version} is installed with the digest ${known.digest}, this one has ${digest}`,
    );
  if (current !== null && lt(version, current) && !force)
    throw new HostError(
      'BUNDLE_DOWNGRADE',
      `${plugin} ${version} is older than ${current}, which is live`,
    );
}

/** They are of all versions there ever were, and kept in one record. */
function checkTerms(allowed: readonly string[]): void {
  if (allowed.length <= MAX_TERMS) return;
  throw new HostError(
    'BUNDLE_TOO_LARGE',
    `its versions have asked for more than ${MAX_TERMS} different things: remove it and install it anew`,
  );
}

/** What orgs have set must fit before their next call finds that it does not. */
function checkConfigs(tenants: TenantStore, { manifest, config }: LivePlugin): void {
  const { name, version } = manifest;
  for (const org of tenants.orgsOf(name)) {
    const view = tenants.view(name, org);
    // Who stays with another version is not touched.
    if (view.config === null || (view.version !== null && view.version !== version)) continue;
    try {
      config.parse(view.config);
    } catch (error) {
      throw new HostError(
        'TENANT_CONFIG_INVALID',
        `${name} ${version} does not take what ${org} has configured: ${messageOf(error)}`,
        { cause: error },
      );
    }
  }
}

/** A version that was signed anew takes the place of what it was. */
async function withVersion(
  { installed }: InstallerOptions,
  record: InstalledPlugin,
  { archive, source, upload }: Arrival,
): Promise<InstalledPlugin> {
  const { version } = source.manifest;
  const known = record.versions.find((one) => one.version === version);
  const map = source.sourceMap === null ? null : Buffer.from(source.sourceMap);
  const entry = {
    version,
    digest: source.digest,
    archive: await installed.putBlob(archive),
    sourceMap: map === null ? (known?.sourceMap ?? null) : await installed.putBlob(map),
    bytes: archive.byteLength + (map?.byteLength ?? 0),
    unsigned: source.unsigned,
    installedAt: Date.now(),
    by: upload.actor.who,
  };
  const versions = record.versions.filter((one) => one !== known);
  return { ...record, versions: [...versions, entry] };
}

function tenancyOf({ owner, manifest }: CheckedSource) {
  if (owner.kind === 'org') return { owner: { org: owner.id }, orgs: [owner.id] };
  return { owner: 'provider' as const, orgs: manifest.tenants === 'all' ? ('all' as const) : [] };
}
