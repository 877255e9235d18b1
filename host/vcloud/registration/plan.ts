/**
 * Compares the manifest with what is registered and lists the least changes in a safe order.
 * May import: kernel, message, vcloud.
 */
import { HostError } from '../../kernel/errors.ts';
import type { Doc } from '../../message/xml/documents.ts';
import type { VcloudClient } from '../client.ts';
import type { ServiceSpec } from '../service-spec.ts';
import type { Change, FieldChange, Plan } from './change.ts';
import type { Finding } from './checks.ts';
import { checkSpec } from './checks.ts';
import { desiredChildren, desiredService } from './desired.ts';
import type { Addresses } from './desired.ts';
import { diffChildren } from './diff.ts';
import { keyOf, labelOf } from './kinds.ts';
import { localizationDigest } from './localization.ts';
import type { ObservedService } from './observe.ts';
import { findService, observeService } from './observe.ts';
import { findRightDrift } from './rights.ts';

export interface PlanOptions {
  /** Digest of the bundle uploaded last; vCloud can't be asked. Null when none was, undefined when not known. */
  readonly localizationDigest?: string | null;
}

/**
 * What must be done so that vCloud is as the spec says. Reads only.
 * Throws `BUNDLE_INVALID` when the spec has errors (all are named), and `VcloudError`.
 *
 * Order: switch off if wanted; rights; children, filters last; texts; one PUT of the service, which
 * also switches it on; then what is not wanted any more. So nothing is ever missing in between, and a plan
 * that was interrupted anywhere leaves a state from which the next plan finishes.
 */
export async function planRegistration(
  client: VcloudClient,
  spec: ServiceSpec,
  options: PlanOptions = {},
): Promise<Plan> {
  const findings = checkSpec(spec);
  const errors = findings.filter(({ level }) => level === 'error');
  if (errors.length > 0) throw new HostError('BUNDLE_INVALID', describeFindings(errors));
  const observed = await observeService(client, spec.namespace);
  const rights = Object.fromEntries((observed?.rights ?? []).map((r) => [r.name, r.href]));
  const resources = observed ? resourcesOf(spec, observed, client.origin) : {};
  const addresses = addressesOf(client.origin, rights, resources);
  const children = diffChildren(desiredChildren(spec), observed?.children ?? [], {
    addresses,
    parent: observed ? { href: observed.href } : { change: 'service' },
  });
  const changes: Change[] = [
    ...(observed ? switchOff(spec, observed) : [creationOf(spec)]),
    ...rightsToAdd(spec, observed),
    ...children.additions,
    ...localizationOf(spec, observed, options),
    ...updateOf(spec, observed),
    ...children.removals,
    ...rightsToRemove(spec, observed),
  ];
  if (observed) findings.push(...(await findRightDrift(client, spec, observed.rights)));
  return { spec, href: observed?.href ?? null, changes, findings, resources, rights };
}

/** What must be done to take the service away: off first, then gone with all its children. */
export async function planRemoval(client: VcloudClient, spec: ServiceSpec): Promise<Plan> {
  const found = await findService(client, spec.namespace);
  const changes = found ? removalOf(spec, found) : [];
  return { spec, href: found?.href ?? null, changes, findings: [], resources: {}, rights: {} };
}

function removalOf(
  spec: ServiceSpec,
  { href, document }: Pick<ObservedService, 'href' | 'document'>,
): Change[] {
  const removal: Change = { action: 'remove', kind: 'Service', label: spec.namespace, href };
  return document.Enabled === false ? [removal] : [off(spec, href), removal];
}

/** Lookup in what is known already; `apply` adds to the records as it goes. */
export function addressesOf(
  origin: string,
  rights: Readonly<Record<string, string>>,
  resources: Readonly<Record<string, string>>,
): Addresses {
  return {
    origin,
    right: (name) => (Object.hasOwn(rights, name) ? rights[name] : undefined),
    resource: (owner, name) => resources[`${owner}/${name}`],
  };
}

function creationOf({ namespace }: ServiceSpec): Change {
  return { action: 'create', kind: 'Service', label: namespace };
}

function switchOff(spec: ServiceSpec, observed: ObservedService): Change[] {
  if ((spec.enabled ?? true) || observed.document.Enabled === false) return [];
  return [off(spec, observed.href)];
}

function off({ namespace }: ServiceSpec, href: string): Change {
  const fields = [{ field: 'Enabled', from: true, to: false }];
  return { action: 'update', kind: 'Service', label: namespace, href, fields };
}

/** The PUT that brings the fields up to date and switches on; for a new service only the latter. */
function updateOf(spec: ServiceSpec, observed: ObservedService | null): Change[] {
  const wanted = desiredService(spec, observed?.document ?? null);
  const found: Doc<'Service'> = observed?.document ?? { ...wanted, Enabled: false };
  const fields = COMPARED.filter((field) => !same(field, found, wanted)).map(
    (field): FieldChange => ({ field, from: found[field] ?? null, to: wanted[field] ?? null }),
  );
  // Switching off is the first change already.
  const rest = fields.filter(({ field, to }) => field !== 'Enabled' || to === true);
  if (rest.length === 0) return [];
  const href = observed?.href ?? null;
  return [{ action: 'update', kind: 'Service', label: spec.namespace, href, fields: rest }];
}

const COMPARED = [
  'name',
  'Description',
  'AuthorizationEnabled',
  'RoutingKey',
  'Priority',
  'Exchange',
  'Vendor',
  'Enabled',
] as const;

/** What a GET leaves out has its default. */
const ABSENT: Partial<Doc<'Service'>> = {
  Description: '',
  AuthorizationEnabled: false,
  Priority: 50,
  Vendor: '',
};

function same(field: (typeof COMPARED)[number], a: Doc<'Service'>, b: Doc<'Service'>): boolean {
  return (a[field] ?? ABSENT[field]) === (b[field] ?? ABSENT[field]);
}

function rightsToAdd(spec: ServiceSpec, observed: ObservedService | null): Change[] {
  const present = new Set(observed?.rights.map(({ name }) => name));
  return (spec.rights ?? [])
    .filter(({ name }) => !present.has(name))
    .map((right) => ({ action: 'add', kind: 'Right', label: right.name, right }));
}

/** A right that roles still hold is refused by vCloud and stays; see `apply`. */
function rightsToRemove(spec: ServiceSpec, observed: ObservedService | null): Change[] {
  const wanted = new Set((spec.rights ?? []).map(({ name }) => name));
  return (observed?.rights ?? [])
    .filter(({ name }) => !wanted.has(name))
    .map(({ name, href }) => ({ action: 'remove', kind: 'Right', label: name, href }));
}

/** Uploaded again whenever it may have been missed: texts are merged by key, so that does no harm. */
function localizationOf(
  { localization, enabled = true }: ServiceSpec,
  observed: ObservedService | null,
  { localizationDigest: known }: PlanOptions,
): Change[] {
  if (!localization) return [];
  const digest = localizationDigest(localization);
  const unfinished = enabled && observed?.document.Enabled !== true;
  if (observed && !unfinished && (known === undefined || known === digest)) return [];
  const label = Object.keys(localization.files).join(', ');
  return [{ action: 'upload', kind: 'Localization', label, digest, localization }];
}

/** Resources that are as wanted; rules must not go on referring to one that is about to be replaced. */
function resourcesOf(
  spec: ServiceSpec,
  observed: ObservedService,
  origin: string,
): Record<string, string> {
  const addresses = addressesOf(origin, {}, {});
  const wanted = new Set(
    desiredChildren(spec).flatMap((owner) =>
      owner.children.map(
        (child) =>
          `${labelOf(owner.document(addresses))} ${child.kind} ${keyOf(child.document(addresses))}`,
      ),
    ),
  );
  const entries = observed.children.flatMap((owner) =>
    owner.children
      .filter(
        ({ kind, key }) =>
          kind === 'ServiceResource' && wanted.has(`${owner.label} ${kind} ${key}`),
      )
      .map((resource) => [`${owner.label}/${resource.label}`, resource.href] as const),
  );
  return Object.fromEntries(entries);
}

function describeFindings(findings: readonly Finding[]): string {
  return findings.map(({ code, where, message }) => `${where}: ${message} (${code})`).join('; ');
}
