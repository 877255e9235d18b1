/**
 * Any object of vCloud by its URN, through the entity resolver.
 * May import: kernel, message, vcloud.
 */
import type { RequestOptions } from '../client/calls.ts';
import type { VcloudClient } from '../client.ts';
import { HostError } from '../../kernel/errors.ts';

export interface ResolvedEntity {
  /** URN. */
  readonly id: string;
  readonly name: string;
  /** Its representations; paths, such as `/api/vApp/vapp-…`. */
  readonly links: readonly EntityRepresentation[];
}

interface EntityRepresentation {
  readonly rel: string;
  readonly path: string;
  /** Media type. */
  readonly type: string;
}

const URN = /^urn:[a-z0-9.-]{1,64}:[A-Za-z0-9._-]{1,64}:[A-Za-z0-9._-]{1,128}$/i;

export interface EntityAddress {
  readonly urn: string;
  /** The link `entityResolver` of the event; null where it had none, as in the JSON form. */
  readonly resolver: string | null;
}

const RESOLVER = '/api/entity/';
/** Of a link from outside only a path that can be nothing but a resolver is taken, and it is the configured vCloud that is asked. */
const RESOLVER_PATH = /^\/api\/(?:[\w-]+\/){0,4}entity\/$/;

/** Throws `BINDING_ARGUMENT` for what is no URN, and `VcloudError`: status 404 or 403 when there is no such object. */
export async function resolveEntity(
  client: VcloudClient,
  { urn, resolver }: EntityAddress,
  options?: RequestOptions,
): Promise<ResolvedEntity> {
  if (!URN.test(urn)) throw new HostError('BINDING_ARGUMENT', 'the entity has no URN');
  const path = `${resolverPath(resolver)}${urn}`;
  const { id = urn, name = '', Link = [] } = await client.getXml('Entity', path, options);
  const links = Link.flatMap(({ rel = '', href, type = '' }) => {
    const url = URL.parse(href ?? '', client.origin);
    return url ? [{ rel, path: url.pathname, type }] : [];
  });
  return { id, name, links };
}

function resolverPath(resolver: string | null): string {
  const { pathname = '', search = '' } = (resolver && URL.parse(resolver)) || {};
  return search === '' && RESOLVER_PATH.test(pathname) ? pathname : RESOLVER;
}
