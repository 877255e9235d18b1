/**
 * What vCloud demands of objects below a service beyond the schema: lengths, patterns, names that are taken.
 * May import: element, fault, java-regex, kinds, model, store.
 */
import { type Element, textOf } from '../documents/element.ts';
import { VcloudFault } from '../documents/fault.ts';
import { translateJavaRegex } from '../java-regex/regex.ts';
import { KINDS, type KindName } from './kinds.ts';
import type { Entity } from '../model.ts';
import type { Store } from '../store.ts';

const refuse = (message: string, minor?: string) => new VcloudFault(400, message, minor);

const saysSomething = ({ name, text, attributes }: Element, wanted: string) =>
  name === wanted && (text.trim() !== '' || Object.keys(attributes).length > 0);

function checkLengths(kind: KindName, content: readonly Element[]): void {
  const { element, longest, required } = KINDS[kind];
  const missing = required.find((name) => !content.some((child) => saysSomething(child, name)));
  if (missing !== undefined) throw refuse(`${element}: the element '${missing}' is required`);
  for (const [name, length] of Object.entries(longest)) {
    const text = textOf(content, name) ?? '';
    if (text.length > length)
      throw refuse(`${element}: '${name}' is longer than ${length} characters`);
  }
}

function checkPattern(what: string, pattern: string): void {
  const translation = translateJavaRegex(pattern);
  if (!translation.ok)
    throw refuse(
      `${what}: '${pattern}' is not a pattern that this cell can match: ${translation.reason}`,
    );
}

function checkFilter(content: readonly Element[]): void {
  const pattern = textOf(content, 'UrlPattern');
  const media = textOf(content, 'ResponseContentType');
  if ((pattern === undefined) === (media === undefined))
    throw refuse('ApiFilter: exactly one of UrlPattern and ResponseContentType is required');
  if (pattern !== undefined) checkPattern('UrlPattern', pattern);
}

const METHODS = ['GET', 'PUT', 'POST', 'DELETE'];

function checkAction(content: readonly Element[]): void {
  const method = textOf(content, 'HttpMethod') ?? '';
  if (!METHODS.includes(method))
    throw refuse(`ResourceClassAction: HttpMethod must be one of ${METHODS.join(', ')}`);
  checkPattern('UrlPattern', textOf(content, 'UrlPattern') ?? '');
}

/** What each part of a rule may say; the first is the only one that may be missing. */
const ACCESSES: Readonly<Record<string, readonly string[]>> = {
  ServiceResourceAccess: ['Shared', 'Entity'],
  OrganizationAccess: ['Published', 'Shared', 'Entity'],
  PrincipalAccess: ['Shared', 'Entity'],
};

function checkRule(content: readonly Element[]): void {
  for (const [name, allowed] of Object.entries(ACCESSES)) {
    const part = content.find((child) => child.name === name);
    if (!part && name === 'ServiceResourceAccess') continue;
    const access = textOf(part?.children ?? [], 'Access') ?? '';
    if (!allowed.includes(access))
      throw refuse(`AclRule: Access of ${name} must be one of ${allowed.join(', ')}`);
    const entity = part?.children.some((child) => child.name === 'Entity');
    if (access === 'Entity' && !entity) throw refuse(`AclRule: ${name} wants the element 'Entity'`);
  }
}

function checkService(store: Store, content: readonly Element[], self?: string): void {
  const priority = Number(textOf(content, 'Priority') ?? 50);
  if (priority < 0 || priority > 100) throw refuse('Service: Priority must be between 0 and 100');
  const namespace = textOf(content, 'Namespace');
  const taken = [...store.entities.values()].some(
    (item) =>
      item.kind === 'service' &&
      item.id !== self &&
      textOf(item.content, 'Namespace') === namespace,
  );
  if (taken)
    throw refuse(`A service with the namespace '${namespace}' already exists`, 'DUPLICATE_NAME');
}

/** Throws 400 unless the object may be stored. */
export function checkEntity(store: Store, entity: Entity): void {
  checkLengths(entity.kind, entity.content);
  if (entity.kind === 'service') checkService(store, entity.content, entity.id);
  if (entity.kind === 'apiFilter') checkFilter(entity.content);
  if (entity.kind === 'resourceClassAction') checkAction(entity.content);
  if (entity.kind === 'aclRule') checkRule(entity.content);
}
