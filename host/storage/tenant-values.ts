/**
 * Settings of tenants as text and back, checked on the way in.
 * May import: kernel.
 */
import { createHash } from 'node:crypto';

import { HostError } from '../kernel/errors.ts';
import type { Owner, Tenancy, TenantScope, TenantView } from './tenants.ts';

export type SettingKind = 'config' | 'limits' | 'version';

export interface TenancyRow {
  /** URN of an org, null for the provider. */
  readonly owner: string | null;
  /** JSON of `Tenancy.orgs`. */
  readonly orgs: string;
}

export interface SettingRow {
  readonly kind: string;
  readonly value: string;
}

const MAX_ORGS = 100_000;

export function ownerText(owner: Owner): string | null {
  return owner === 'provider' ? null : owner.org;
}

export function tenancyOf({ owner, orgs }: TenancyRow): Tenancy {
  return {
    owner: owner === null ? 'provider' : { org: owner },
    orgs: JSON.parse(orgs) as Tenancy['orgs'],
  };
}

/** JSON of the orgs, sorted and each once. Throws TENANT_INVALID when a plug-in of an org would reach another. */
export function allowedOrgs(owner: Owner, orgs: Tenancy['orgs']): string {
  if (orgs === 'all' && owner === 'provider') return JSON.stringify('all');
  if (orgs === 'all' || (owner !== 'provider' && orgs.some((org) => org !== owner.org)))
    throw new HostError('TENANT_INVALID', 'a plug-in of an org is for that org only');
  if (orgs.length > MAX_ORGS || !orgs.every(isName))
    throw new HostError('TENANT_INVALID', 'orgs: not a list of URNs');
  return JSON.stringify([...new Set(orgs)].sort());
}

/** Null takes the setting away. */
export function configText(config: unknown, maxBytes: number): string | null {
  if (config === null || config === undefined) return null;
  // Undefined for functions and the like, whatever the types say.
  const text = JSON.stringify(config) as string | undefined;
  if (text === undefined || Buffer.byteLength(text) > maxBytes)
    throw new HostError('TENANT_INVALID', `config: not JSON, or over ${maxBytes} bytes`);
  return text;
}

export function limitsText(limits: Readonly<Record<string, number>> | null): string | null {
  if (limits === null || Object.keys(limits).length === 0) return null;
  const valid = Object.values(limits).every((value) => Number.isSafeInteger(value) && value >= 0);
  if (!valid) throw new HostError('TENANT_INVALID', 'limits: not whole numbers');
  return JSON.stringify(limits);
}

export function versionText(version: string | null): string | null {
  if (version === null) return null;
  if (!/^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/.test(version) || version.length > 100)
    throw new HostError('TENANT_INVALID', 'version: not such as 1.2.0');
  return JSON.stringify(version);
}

/** Frozen: it is handed to everybody who asks. */
export function viewOf(
  org: string,
  tenancy: TenancyRow | undefined,
  rows: readonly SettingRow[],
): TenantView {
  const found = Object.fromEntries(
    rows.map(({ kind, value }) => [kind, JSON.parse(value) as unknown]),
  );
  return Object.freeze({
    enabled: tenancy !== undefined && has(tenancyOf(tenancy), org),
    config: found['config'] ?? null,
    limits: Object.freeze((found['limits'] ?? {}) as Record<string, number>),
    version: (found['version'] as string | undefined) ?? null,
  });
}

function has({ owner, orgs }: Tenancy, org: string): boolean {
  // Checked again, though it is checked on the way in: this is what keeps orgs apart.
  if (owner !== 'provider' && owner.org !== org) return false;
  return orgs === 'all' || orgs.includes(org);
}

const SECRET_NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

/** Throws TENANT_INVALID. */
export function checkSecret(name: string, value: string, maxBytes: number): void {
  if (!SECRET_NAME.test(name))
    throw new HostError(
      'TENANT_INVALID',
      'secret: a name begins with a letter and has at most 64 letters, digits, dots, dashes and underscores',
    );
  const size = Buffer.byteLength(value);
  if (size === 0 || size > maxBytes)
    throw new HostError('TENANT_INVALID', `secret ${name}: empty, or over ${maxBytes} bytes`);
}

/** Bound into the sealed bytes: moved to another org's place they do not open. */
export function secretPlace({ plugin, org }: TenantScope, name: string): string {
  return JSON.stringify(['secret', plugin, org, name]);
}

/** Tells equal from different in the audit log. Null for nothing. */
export function digestOf(content: string | Uint8Array | null | undefined): string | null {
  if (content === null || content === undefined) return null;
  return createHash('sha256').update(content).digest('hex').slice(0, 32);
}

function isName(text: unknown): boolean {
  return typeof text === 'string' && text.length > 0 && text.length <= 255;
}
