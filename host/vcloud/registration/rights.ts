/**
 * Names of rights to the URNs that messages carry.
 * May import: message, vcloud.
 */
import type { Doc } from '../../message/xml/documents.ts';
import type { VcloudClient } from '../client.ts';
import { hasStatus } from '../errors.ts';
import { queryPath, readRecords, uuidOf } from '../links.ts';
import type { RightSpec, ServiceSpec } from '../service-spec.ts';
import type { Finding } from './checks.ts';
import type { ObservedRight } from './observe.ts';
import { findService, observeRights } from './observe.ts';

export interface RightsWanted {
  readonly namespace: string;
  /** As routes name them: the service's own without namespace, any other right of vCloud by its full name. */
  readonly names: readonly string[];
}

/**
 * Each name that exists, with its URN. The service's own rights win over equally named ones of vCloud.
 * What is missing in the map is not registered. Throws `VcloudError`.
 */
export async function resolveRights(
  client: VcloudClient,
  { namespace, names }: RightsWanted,
): Promise<Map<string, string>> {
  const resolved = new Map<string, string>();
  if (names.length === 0) return resolved;
  const service = await findService(client, namespace);
  const own = service ? await observeRights(client, service, namespace) : [];
  const byName = new Map(own.map(({ name, urn }) => [name, urn]));
  for (const name of names) {
    const urn = byName.get(name) ?? (await findForeign(client, name));
    if (urn) resolved.set(name, urn);
  }
  return resolved;
}

async function findForeign(client: VcloudClient, name: string): Promise<string | null> {
  const records = await readRecords(client, queryPath('right', { name }));
  const found = records.find(({ attributes }) => attributes['name'] === name);
  const uuid = uuidOf(found?.attributes['href']) ?? uuidOf(found?.attributes['id']);
  return uuid && `urn:vcloud:right:${uuid}`;
}

/** Rights whose text differs. They have no edit link, and removing one would take it from every role: a person decides. */
export async function findRightDrift(
  client: VcloudClient,
  spec: ServiceSpec,
  observed: readonly ObservedRight[],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [at, wanted] of (spec.rights ?? []).entries()) {
    const right = observed.find(({ name }) => name === wanted.name);
    if (!right?.href) continue;
    const found = await client.getXml('Right', right.href).catch((error: unknown) => {
      if (hasStatus(error, 403, 404)) return null;
      throw error;
    });
    const differing = found ? differences(found, wanted, spec) : [];
    if (differing.length > 0)
      findings.push({
        level: 'warning',
        code: 'RIGHT_DIFFERS',
        where: `rights[${at}]`,
        message: `${differing.join(', ')} of "${wanted.name}" can only be changed by removing the right from vCloud by hand`,
      });
  }
  return findings;
}

function differences(
  found: Doc<'Right'>,
  { category, description = '', bundleKey = '' }: RightSpec,
  spec: ServiceSpec,
): string[] {
  const pairs = [
    ['category', found.Category, category ?? spec.name],
    // An answer without it does not prove that it is not stored.
    ['description', found.Description ?? description, description],
    ['bundleKey', found.BundleKey ?? '', bundleKey],
  ] as const;
  return pairs.filter(([, a, b]) => a !== b).map(([name]) => name);
}
