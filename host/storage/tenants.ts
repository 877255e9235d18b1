/**
 * The port of what is kept for each plug-in and org: who has it, with which settings and secrets.
 * May import: storage.
 */
import type { ChangeLog } from './changes.ts';

/** Who published a plug-in: the provider, or the org of this URN. */
export type Owner = 'provider' | { readonly org: string };

export interface Tenancy {
  readonly owner: Owner;
  /** URNs of the orgs that have the plug-in. A plug-in of an org is for that org at most. */
  readonly orgs: 'all' | readonly string[];
}

export interface TenantScope {
  readonly plugin: string;
  /** URN of the org. */
  readonly org: string;
}

/** What a call needs to know. The same object until something changes, so that callers can compare by identity. */
export interface TenantView {
  /** Whether the org has the plug-in; false too when nothing is known of the plug-in. */
  readonly enabled: boolean;
  /** As it was set, not checked against any schema; null when nothing was set. */
  readonly config: unknown;
  /** By the names of `quotas/limits.ts`, which is not known here; empty when nothing was set. */
  readonly limits: Readonly<Record<string, number>>;
  /** The version that the org stays with, or null for the current one. */
  readonly version: string | null;
}

export interface SecretInfo {
  readonly name: string;
  /** Epoch ms. */
  readonly changedAt: number;
}

/**
 * Every setter is atomic with its entry in `changes`; `who` goes there. They reject with TENANT_INVALID for what
 * can not be kept. A setting of null takes it away. What a setter resolved for is seen by its process at once;
 * any number of processes may share one store and see each other's changes within a second. Survives the death
 * of the process. What is not a promise comes from memory.
 */
export interface TenantStore {
  /** Fast enough to be asked for every call. */
  view(plugin: string, org: string): TenantView;

  tenancy(plugin: string): Tenancy | null;
  /** Keep this tenancy when none is known. Throws TENANT_INVALID when the plug-in belongs to another owner. */
  adopt(plugin: string, tenancy: Tenancy, who: string): Promise<void>;
  setOrgs(plugin: string, orgs: Tenancy['orgs'], who: string): Promise<void>;
  /** Remove the plug-in with all settings and secrets of all orgs, so that nobody inherits them. */
  forget(plugin: string, who: string): Promise<void>;
  /** URNs of the orgs for which anything is kept. */
  orgsOf(plugin: string): readonly string[];

  setConfig(scope: TenantScope, config: unknown, who: string): Promise<void>;
  setLimits(
    scope: TenantScope,
    limits: Readonly<Record<string, number>> | null,
    who: string,
  ): Promise<void>;
  pinVersion(scope: TenantScope, version: string | null, who: string): Promise<void>;

  setSecret(
    scope: TenantScope,
    secret: { name: string; value: string },
    who: string,
  ): Promise<void>;
  /** True if there was one. */
  deleteSecret(scope: TenantScope, name: string, who: string): Promise<boolean>;
  /** In order of their names; there is no way to list values. */
  secrets(scope: TenantScope): readonly SecretInfo[];
  /** Only for the plug-in itself. Null when there is none. Throws SECRET_UNREADABLE. */
  readSecret(scope: TenantScope, name: string): Promise<string | null>;

  readonly changes: ChangeLog;
}

export interface TenantCaps {
  /** Largest configuration as JSON in bytes. @default 65536 */
  readonly configBytes?: number;
  /** Largest secret in bytes. @default 16384 */
  readonly secretBytes?: number;
  /** Secrets of one plug-in in one org. @default 100 */
  readonly secrets?: number;
}

export const TENANT_DEFAULTS = {
  configBytes: 65_536,
  secretBytes: 16_384,
  secrets: 100,
} as const satisfies TenantCaps;
