/**
 * The port of what can be done with plug-ins while traffic flows: the operator API and the command line use it.
 * May import: kernel, storage.
 */
import type { Change, ChangeQuery } from '../../storage/changes.ts';
import type { SecretInfo, Tenancy } from '../../storage/tenants.ts';

/** Who does something. `owner` is the id in the trust store of an owner, or null for the operator. */
export interface Actor {
  readonly who: string;
  readonly owner: string | null;
}

export interface VersionView {
  readonly version: string;
  readonly digest: string;
  readonly installedAt: number;
  readonly by: string;
  readonly unsigned: boolean;
  /** Loaded here: current, or pinned by an org. */
  readonly live: boolean;
}

export interface PluginView {
  readonly name: string;
  readonly description: string | null;
  /** Id of the owner in the trust store. */
  readonly owner: string;
  readonly ownerKind: 'provider' | 'org';
  /** `folder`: source in a folder of the configuration, which the host does not change. */
  readonly source: 'folder' | 'bundle';
  /** `failed`: not live; `reason` says why. A version that failed beside a live one is in `reason` alone. */
  readonly state: 'live' | 'failed' | 'waiting' | 'disabled';
  readonly reason: string | null;
  readonly current: string | null;
  readonly versions: readonly VersionView[];
  /** Waits for the operator: what it asks for beyond what is allowed. */
  readonly waiting: { readonly version: string; readonly asks: readonly string[] } | null;
  readonly orgs: Tenancy['orgs'];
}

export interface TenantView {
  /** URN. */
  readonly org: string;
  readonly enabled: boolean;
  /** As it was set; null for nothing. */
  readonly config: unknown;
  readonly limits: Readonly<Record<string, number>>;
  readonly version: string | null;
  readonly secrets: readonly SecretInfo[];
}

export interface UploadOptions {
  /** Take a version older than the current one, or one whose schema does not fit what orgs have configured. */
  readonly force?: boolean;
  /** A version that is installed already is left as it is, current or not. */
  readonly onlyNew?: boolean;
  /** The operator allows at once what the version asks for beyond what is allowed. */
  readonly approve?: boolean;
  /** Source map of main.js; stays on the host. */
  readonly sourceMap?: Uint8Array | null;
}

export interface Uploaded {
  readonly name: string;
  readonly version: string;
  readonly digest: string;
  /** `same`: it was installed and current already. `disabled`: it is current, but the plug-in is disabled. */
  readonly state: 'live' | 'waiting' | 'same' | 'disabled';
  /** What it asks for; of a waiting one, only what is not allowed yet. */
  readonly asks: readonly string[];
}

/**
 * Methods that change something resolve when the change is live here (or, for other hosts, on its way) and leave
 * an entry in the audit log. They throw PLUGIN_UNKNOWN, PLUGIN_CHANGED, BUNDLE_* and TENANT_* and then nothing
 * was changed; BUNDLE_OWNER_FOREIGN when an owner reaches for what is not theirs or is the operator's to decide.
 */
export interface PluginAdmin {
  /** What this actor may see, in order of names. */
  list(actor: Actor): Promise<readonly PluginView[]>;
  show(name: string, actor: Actor): Promise<PluginView>;
  upload(archive: Uint8Array, options: UploadOptions, actor: Actor): Promise<Uploaded>;
  /**
   * Operator only: allow what the waiting version asks for, and make it live. With the digest of what was looked at
   * PLUGIN_CHANGED when another bundle has taken its place since: its owner may remove it and come with the same
   * version again.
   */
  approve(
    name: string,
    wanted: string | { readonly version: string; readonly digest: string },
    actor: Actor,
  ): Promise<PluginView>;
  /** To this version, or to the one that was current before (null). */
  rollback(name: string, version: string | null, actor: Actor): Promise<PluginView>;
  setEnabled(name: string, enabled: boolean, actor: Actor): Promise<PluginView>;
  /** With all versions, settings, secrets and data; calls under way end before. */
  remove(name: string, actor: Actor): Promise<void>;

  tenants(name: string, actor: Actor): Promise<readonly TenantView[]>;
  setOrgs(name: string, orgs: Tenancy['orgs'], actor: Actor): Promise<void>;
  /** Enable or disable for one org alone. */
  setOrg(scope: Scope, enabled: boolean, actor: Actor): Promise<void>;
  pin(scope: Scope, version: string | null, actor: Actor): Promise<void>;
  setConfig(scope: Scope, config: unknown, actor: Actor): Promise<void>;
  /** Operator only. */
  setLimits(
    scope: Scope,
    limits: Readonly<Record<string, number>> | null,
    actor: Actor,
  ): Promise<void>;
  setSecret(scope: Scope, secret: { name: string; value: string }, actor: Actor): Promise<void>;
  deleteSecret(scope: Scope, name: string, actor: Actor): Promise<boolean>;

  /** The audit log: all of it for the operator, that of their plug-ins for owners. */
  changes(query: ChangeQuery, actor: Actor): Promise<readonly Change[]>;
}

export interface Scope {
  readonly plugin: string;
  /** URN of the org. */
  readonly org: string;
}
