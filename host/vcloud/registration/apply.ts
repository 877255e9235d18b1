/**
 * Carries out a plan, request by request; every step can be repeated after an interruption by planning anew.
 * May import: kernel, message, vcloud.
 */
import type { Log } from '../../kernel/log.ts';
import { silentLog } from '../../kernel/log.ts';
import type { Doc } from '../../message/xml/documents.ts';
import { decodeXml, mediaTypeOf } from '../../message/xml/documents.ts';
import type { VcloudClient } from '../client.ts';
import { VcloudError, hasStatus } from '../errors.ts';
import { findLink } from '../links.ts';
import type { Change, Parent, Plan } from './change.ts';
import { describeChange } from './change.ts';
import { desiredService } from './desired.ts';
import type { OwnerKind } from './kinds.ts';
import { KINDS, ownerKind } from './kinds.ts';
import { uploadLocalization } from './localization.ts';
import { addressesOf } from './plan.ts';

export interface ApplyOptions {
  readonly signal?: AbortSignal;
  readonly log?: Log;
  /** Called before each request that changes something. */
  readonly onChange?: (change: Change) => void;
}

export interface Applied {
  /** Address of the service; null when it was removed. */
  readonly href: string | null;
  readonly applied: readonly Change[];
  /** Rights that vCloud would not remove, because roles or rules hold them. */
  readonly kept: readonly Change[];
  /** Digest of the localization bundle when one was uploaded, for the next plan. */
  readonly localizationDigest: string | null;
}

/** What is known of the other side while a plan runs. */
interface Progress {
  service: string | null;
  readonly created: Map<string, string>;
  readonly rights: Record<string, string>;
  readonly resources: Record<string, string>;
  /** Links of the owners met so far, by address. */
  readonly links: Map<string, Links>;
}

type Links = readonly Doc<'Link'>[];

interface Context {
  readonly client: VcloudClient;
  readonly plan: Plan;
  readonly progress: Progress;
  readonly signal: { readonly signal?: AbortSignal };
}

/** Throws `VcloudError` at the first change that fails, with the change named; what was done before stays. */
export async function applyRegistration(
  client: VcloudClient,
  plan: Plan,
  { signal, log = silentLog, onChange }: ApplyOptions = {},
): Promise<Applied> {
  const progress: Progress = {
    service: plan.href,
    created: new Map(),
    rights: { ...plan.rights },
    resources: { ...plan.resources },
    links: new Map(),
  };
  const context: Context = { client, plan, progress, signal: signal ? { signal } : {} };
  const kept: Change[] = [];
  let localizationDigest: string | null = null;
  for (const change of plan.changes) {
    signal?.throwIfAborted();
    onChange?.(change);
    const done = await perform(change, context);
    log.info(done ? 'registration.changed' : 'registration.kept', {
      change: describeChange(change),
    });
    if (!done) kept.push(change);
    if (change.action === 'upload') localizationDigest = change.digest;
  }
  const applied = plan.changes.filter((change) => !kept.includes(change));
  return { href: progress.service, applied, kept, localizationDigest };
}

/** False when vCloud declined something that may be declined. */
async function perform(change: Change, context: Context): Promise<boolean> {
  if (change.action === 'remove') return remove(change, context);
  await performOne(change, context);
  return true;
}

async function performOne(
  change: Exclude<Change, { readonly action: 'remove' }>,
  context: Context,
): Promise<void> {
  switch (change.action) {
    case 'create':
      return createService(context);
    case 'update':
      return updateService(change, context);
    case 'add':
      return change.kind === 'Right' ? addRight(change, context) : addChild(change, context);
    case 'upload':
      return uploadLocalization(context.client, {
        service: serviceOf(context),
        namespace: context.plan.spec.namespace,
        localization: change.localization,
        ...context.signal,
      });
  }
}

async function createService(context: Context): Promise<void> {
  const { client, plan, progress, signal } = context;
  const path = await serviceCollection(client);
  const value = { ...desiredService(plan.spec, null), Enabled: false };
  const answer = await client.sendXml('POST', path, { name: 'Service', value }, signal);
  progress.service = created('Service', answer, context);
}

/** Links lead from the extension's root to the collection of services. */
async function serviceCollection(client: VcloudClient): Promise<string> {
  const root = await client.getXml('VMWExtension', '/api/admin/extension');
  const listed = findLink(root.Link, 'down', mediaTypeOf('ExtensionServices'));
  if (!listed) return '/api/admin/extension/service';
  const services = await client.getXml('ExtensionServices', listed);
  return findLink(services.Link, 'add', mediaTypeOf('Service')) ?? listed;
}

/** PUT takes the whole element; what is not to change is sent as it is now. */
async function updateService(
  { fields }: Change & { readonly action: 'update' },
  context: Context,
): Promise<void> {
  const { client, plan, signal } = context;
  const href = serviceOf(context);
  const found = await client.getXml('Service', href, signal);
  const value: Doc<'Service'> = {
    name: found.name,
    Description: found.Description,
    Namespace: found.Namespace ?? plan.spec.namespace,
    Enabled: found.Enabled ?? false,
    AuthorizationEnabled: found.AuthorizationEnabled,
    RoutingKey: found.RoutingKey,
    Priority: found.Priority,
    Exchange: found.Exchange,
    Vendor: found.Vendor,
    ...Object.fromEntries(fields.map(({ field, to }) => [field, to ?? undefined])),
  };
  const path = findLink(found.Link, 'edit') ?? href;
  await client.sendXml('PUT', path, { name: 'Service', value }, signal);
}

async function addRight(
  { right }: Change & { readonly kind: 'Right'; readonly action: 'add' },
  context: Context,
): Promise<void> {
  const { client, plan, progress, signal } = context;
  const href = serviceOf(context);
  const links = await linksOf('Service', href, context);
  const path = findLink(links, 'rights') ?? `${href}/rights`;
  const value: Doc<'Right'> = {
    name: right.name,
    Description: right.description,
    Category: right.category ?? plan.spec.name,
    BundleKey: right.bundleKey,
  };
  const answer = await client.sendXml('POST', path, { name: 'Right', value }, signal);
  progress.rights[right.name] = created('Right', answer, context);
}

type ChildAddition = Extract<Change, { readonly action: 'add'; readonly id: string }>;

async function addChild(change: ChildAddition, context: Context): Promise<void> {
  const { client, progress, signal } = context;
  const parent = parentHref(change.parent, context);
  const links = await linksOf(ownerKind(change.kind), parent, context);
  // The owner shows where its children are posted.
  const path =
    findLink(links, 'add', mediaTypeOf(change.kind)) ?? `${parent}/${KINDS[change.kind].path}`;
  const addresses = addressesOf(client.origin, progress.rights, progress.resources);
  const value = change.desired.document(addresses);
  const answer = await client.sendXml('POST', path, { name: change.kind, value }, signal);
  const href = created(change.kind, answer, context);
  progress.created.set(change.id, href);
  const [owner, name] = change.path;
  if (change.kind === 'ServiceResource') progress.resources[`${owner}/${name}`] = href;
}

/** One GET for each owner whose links no answer has shown yet. */
async function linksOf(kind: OwnerKind, href: string, context: Context): Promise<Links> {
  const { client, progress, signal } = context;
  let links = progress.links.get(href);
  if (!links?.length) {
    links = (await client.getXml(kind, href, signal)).Link ?? [];
    progress.links.set(href, links);
  }
  return links;
}

async function remove(
  { kind, href }: Change & { readonly action: 'remove' },
  { client, signal, progress }: Context,
): Promise<boolean> {
  try {
    await client.request('DELETE', href, signal);
  } catch (error) {
    // Somebody, or our own lost request, was quicker.
    if (!hasStatus(error, 404)) {
      if (kind === 'Right' && error instanceof VcloudError && error.code === 'VCLOUD_REFUSED')
        return false;
      throw error;
    }
  }
  if (kind === 'Service') progress.service = null;
  return true;
}

function parentHref(parent: Parent, context: Context): string {
  if ('href' in parent) return parent.href;
  if (parent.change === 'service') return serviceOf(context);
  return context.progress.created.get(parent.change) ?? missing(parent.change);
}

function serviceOf({ progress }: Context): string {
  return progress.service ?? missing('service');
}

/** Address of what a POST made; its links are kept for its own children. */
function created(
  name: OwnerKind | 'Right',
  answer: { readonly body: Uint8Array },
  { progress }: Context,
): string {
  const { href, Link = [] } = decodeXml(name, answer.body);
  if (!href) return missing(`the address of the new ${name}`);
  progress.links.set(href, Link);
  return href;
}

function missing(what: string): never {
  throw new VcloudError({
    code: 'VCLOUD_UNAVAILABLE',
    message: `registration: vCloud's answer lacks ${what}; plan again`,
  });
}
