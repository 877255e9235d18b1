/**
 * Users and what their roles hold, for explaining decisions; never for making them.
 * May import: kernel, message, vcloud.
 */
import { HostError } from '../kernel/errors.ts';
import { parseXml, type XmlNode } from '../message/xml/tree.ts';
import type { VcloudClient } from './client.ts';
import { queryPath, readRecords, uuidOf } from './links.ts';

export interface KnownUser {
  readonly name: string;
  /** URNs. */
  readonly user: string;
  readonly org: string;
  readonly role: string | null;
  /** URNs of the rights of the role, with the names that vCloud shows. */
  readonly rights: ReadonlyMap<string, string>;
}

/** By `name@org` or URN. Throws `CONFIG_INVALID` when there is no such user, and `VcloudError`. */
export async function readUser(client: VcloudClient, who: string): Promise<KnownUser> {
  const uuid = uuidOf(who) ?? (await findByName(client, who));
  const user = await readNode(client, `/api/admin/user/${uuid}`);
  const up = user.children.find(
    ({ name, attributes }) => name === 'Link' && attributes.get('rel') === 'up',
  );
  const role = user.children.find(({ name }) => name === 'Role');
  const roleHref = role?.attributes.get('href');
  return {
    name: user.attributes.get('name') ?? who,
    user: `urn:vcloud:user:${uuid}`,
    org: `urn:vcloud:org:${uuidOf(up?.attributes.get('href')) ?? 'unknown'}`,
    role: role?.attributes.get('name') ?? null,
    rights: roleHref ? await readRights(client, roleHref) : new Map(),
  };
}

async function findByName(client: VcloudClient, who: string): Promise<string> {
  const [name = '', org] = who.split('@');
  const found = await readRecords(client, queryPath('adminUser', { name }));
  for (const { attributes } of found) {
    const uuid = uuidOf(attributes['href']);
    if (attributes['name'] !== name || !uuid) continue;
    if (org === undefined || (await orgName(client, attributes['org'])) === org.toLowerCase())
      return uuid;
  }
  throw new HostError('CONFIG_INVALID', `--user: vCloud knows no ${who}; write name@org or a URN`);
}

async function orgName(client: VcloudClient, href: string | undefined): Promise<string | null> {
  const uuid = uuidOf(href);
  if (!uuid) return null;
  const org = await readNode(client, `/api/admin/org/${uuid}`).catch(() => null);
  return org?.attributes.get('name')?.toLowerCase() ?? null;
}

async function readRights(client: VcloudClient, role: string): Promise<Map<string, string>> {
  const node = await readNode(client, role);
  const list = node.children.find(({ name }) => name === 'RightReferences');
  const rights = new Map<string, string>();
  for (const { attributes } of list?.children ?? []) {
    const uuid = uuidOf(attributes.get('href'));
    if (uuid) rights.set(`urn:vcloud:right:${uuid}`, attributes.get('name') ?? uuid);
  }
  return rights;
}

async function readNode(client: VcloudClient, path: string): Promise<XmlNode> {
  return parseXml((await client.request('GET', path)).body);
}
