/**
 * Where an org takes tasks and events of services, by the links of its administrative view.
 * May import: kernel, message, vcloud.
 */
import { systemClock, type Clock } from '../../kernel/time.ts';
import { parseXml } from '../../message/xml/tree.ts';
import type { VcloudClient } from '../../vcloud/client.ts';
import { findLink } from '../../vcloud/links.ts';

type Links = Parameters<typeof findLink>[0];

export interface OrgLinks {
  /** Address behind `rel`, or `otherwise` when the org shows none. Throws what the client throws. */
  find(
    client: VcloudClient,
    org: string,
    wanted: { readonly rel: string; readonly otherwise: string },
    signal?: AbortSignal,
  ): Promise<string>;
}

const HOLDS_MS = 300_000;
const ORGS = 1_000;

export function createOrgLinks(clock: Clock = systemClock): OrgLinks {
  const known = new Map<string, { readonly links: Links; readonly until: number }>();

  async function read(client: VcloudClient, org: string, signal?: AbortSignal): Promise<Links> {
    const held = known.get(org);
    if (held && clock.monotonic() < held.until) return held.links;
    const path = `/api/admin/org/${org}`;
    const { body } = await client.request('GET', path, signal ? { signal } : {});
    const links = parseXml(body)
      .children.filter(({ name }) => name === 'Link')
      .map(({ attributes }) => ({
        rel: attributes.get('rel'),
        type: attributes.get('type'),
        href: attributes.get('href'),
      }));
    known.set(org, { links, until: clock.monotonic() + HOLDS_MS });
    const oldest = known.keys().next().value;
    if (known.size > ORGS && oldest !== undefined) known.delete(oldest);
    return links;
  }

  return {
    find: async (client, org, { rel, otherwise }, signal) =>
      findLink(await read(client, org, signal), rel) ?? otherwise,
  };
}
