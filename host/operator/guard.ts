/**
 * Refuses what a browser could be tricked into: requests under a foreign name, and from foreign pages.
 * May import: kernel.
 *
 * A page of another site can make its own name lead to our address (DNS rebinding), but it can not choose the
 * Host header, nor hide its Origin when it writes.
 */
import type { MiddlewareHandler } from 'hono';

import { HostError } from '../kernel/errors.ts';

export interface GuardOptions {
  /** Address that is listened on. */
  readonly host: string;
  /** Further names or addresses, without port, under which the endpoint may be reached. */
  readonly hosts: readonly string[];
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/** Throws OPERATOR_ADDRESS_REFUSED. Ports are not compared: the endpoint may be reached through a tunnel. */
export function createGuard({ host, hosts }: GuardOptions): MiddlewareHandler {
  const names = new Set([...LOOPBACK, ...[host, ...hosts].map(hostnameOf)]);
  names.delete(null);
  return async (c, next) => {
    const given = c.req.header('host') ?? new URL(c.req.url).host;
    const name = hostnameOf(given);
    if (name === null || !names.has(name))
      throw refused('the Host header names no address of this endpoint (see `operator.hosts`)');
    const origin = c.req.header('origin');
    if (origin !== undefined && URL.parse(origin)?.host !== given.toLowerCase())
      throw refused('the request comes from a page of another origin');
    const site = c.req.header('sec-fetch-site');
    if (site !== undefined && site !== 'same-origin' && site !== 'none')
      throw refused('the request comes from a page of another site');
    await next();
  };
}

/** Lower-case and without port; an IPv6 address in brackets. Null for what is no host. */
function hostnameOf(text: string): string | null {
  const isBareIpv6 = (text.match(/:/g)?.length ?? 0) > 1 && !text.startsWith('[');
  const url = URL.parse(`http://${isBareIpv6 ? `[${text}]` : text}/`);
  // Anything more than host and port would have changed its meaning on the way through the parser.
  return url && url.username === '' && url.pathname === '/' && !/[/?#@\s]/.test(text)
    ? url.hostname.replace(/\.$/, '')
    : null;
}

function refused(why: string): HostError {
  return new HostError('OPERATOR_ADDRESS_REFUSED', why);
}
