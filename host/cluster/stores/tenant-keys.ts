/**
 * Names and contents of the entries in the bucket of tenants, and how they are changed.
 * May import: storage, cluster.
 */
import { z } from 'zod';

import type { NewChange } from '../../storage/changes.ts';
import type { SettingKind } from '../../storage/tenant-values.ts';
import type { TenantScope } from '../../storage/tenants.ts';
import type { Bucket } from '../link/bucket.ts';
import { keyOf } from '../link/keys.ts';
import type { Mirror } from './mirror.ts';

/** `plugin.PLUGIN` */
export interface KeptPlugin {
  readonly plugin: string;
  /** URN of an org, null for the provider. */
  readonly owner: string | null;
  /** JSON of `Tenancy.orgs`. */
  readonly orgs: string;
}

/** `set.PLUGIN.ORG.KIND` */
export interface KeptSetting {
  readonly plugin: string;
  readonly org: string;
  readonly setting: SettingKind;
  /** JSON. */
  readonly value: string;
}

/** `secret.PLUGIN.ORG.NAME` */
export interface KeptSecret {
  readonly plugin: string;
  readonly org: string;
  readonly name: string;
  readonly changedAt: number;
  /** Sealed, in base64. */
  readonly sealed: string;
}

export type Kept = KeptPlugin | KeptSetting | KeptSecret;

/** What the parts of the store work with. */
export interface TenantRooms {
  readonly bucket: Bucket;
  readonly mirror: Mirror<Kept>;
  /**
   * Write `next(what is there)`, null to take it away, with its entry; nothing when `entry` is null. Again when
   * another host was faster.
   */
  readonly change: (
    key: string,
    step: (known: Kept | null) => {
      readonly next: Kept | null;
      readonly entry: NewChange | null;
    },
  ) => Promise<boolean>;
}

export const isPlugin = (kept: Kept): kept is KeptPlugin => 'owner' in kept;
export const isSetting = (kept: Kept): kept is KeptSetting => 'value' in kept;
export const isSecret = (kept: Kept): kept is KeptSecret => 'sealed' in kept;
export const isOrg = (kept: Kept): kept is KeptSetting | KeptSecret => 'org' in kept;

export const partsOf = keyOf;
export const pluginKey = (plugin: string) => `plugin.${keyOf(plugin)}`;
export const settingKey = ({ plugin, org }: TenantScope, kind: SettingKind) =>
  `set.${keyOf(plugin, org)}.${kind}`;
export const secretKey = ({ plugin, org }: TenantScope, name: string) =>
  `secret.${keyOf(plugin, org, name)}`;

const json = z.string().refine(isJson, 'JSON as text');
const keptSchema: z.ZodType<Kept> = z.union([
  z.object({ plugin: z.string(), owner: z.string().nullable(), orgs: json.refine(isOrgs) }),
  z.object({
    plugin: z.string(),
    org: z.string(),
    setting: z.enum(['config', 'limits', 'version']),
    value: json,
  }),
  z.object({
    plugin: z.string(),
    org: z.string(),
    name: z.string(),
    changedAt: z.number(),
    sealed: z.string(),
  }),
]);

/** Throws for what nobody of us wrote. */
export function decodeKept(value: Uint8Array): Kept {
  return keptSchema.parse(JSON.parse(Buffer.from(value).toString('utf8')));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isOrgs(text: string): boolean {
  const orgs: unknown = JSON.parse(text);
  return orgs === 'all' || (Array.isArray(orgs) && orgs.every((org) => typeof org === 'string'));
}
