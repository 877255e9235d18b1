/**
 * Which addresses plug-ins may reach: public ones, those that the operator lists, and never our own.
 * May import: kernel.
 */
import { BlockList, isIP } from 'node:net';

import { HostError } from '../../kernel/errors.ts';

/** By the IANA registries of special-purpose addresses. */
const NOT_PUBLIC_V4: readonly (readonly [range: string, what: string])[] = [
  ['0.0.0.0/8', 'unspecified'],
  ['10.0.0.0/8', 'private'],
  ['100.64.0.0/10', 'carrier-grade NAT'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local'],
  ['172.16.0.0/12', 'private'],
  ['192.0.0.0/24', 'protocol assignments'],
  ['192.0.2.0/24', 'documentation'],
  ['192.88.99.0/24', '6to4 relay'],
  ['192.168.0.0/16', 'private'],
  ['198.18.0.0/15', 'benchmarking'],
  ['198.51.100.0/24', 'documentation'],
  ['203.0.113.0/24', 'documentation'],
  ['224.0.0.0/4', 'multicast'],
  ['255.255.255.255/32', 'broadcast'],
  ['240.0.0.0/4', 'reserved'],
];

/** Of IPv6 only 2000::/3 is public; what lies outside and has no name here is reserved. */
const NOT_PUBLIC_V6: readonly (readonly [range: string, what: string])[] = [
  ['::/128', 'unspecified'],
  ['::1/128', 'loopback'],
  ['::ffff:0:0/96', 'IPv4-mapped'],
  ['::/96', 'IPv4-compatible'],
  ['64:ff9b::/96', 'NAT64'],
  ['64:ff9b:1::/48', 'NAT64'],
  ['100::/64', 'discard'],
  ['2001::/32', 'Teredo'],
  ['2001::/23', 'protocol assignments'],
  ['2001:db8::/32', 'documentation'],
  ['2002::/16', '6to4'],
  ['3fff::/20', 'documentation'],
  ['fc00::/7', 'unique-local'],
  ['fe80::/10', 'link-local'],
  ['fec0::/10', 'site-local'],
  ['ff00::/8', 'multicast'],
];
const PUBLIC_V6 = rangesOf(['2000::/3']);

type Family = 'ipv4' | 'ipv6';

const V4_TABLE = NOT_PUBLIC_V4.map(([range, what]) => ({ what, list: rangesOf([range]) }));
const V6_TABLE = NOT_PUBLIC_V6.map(([range, what]) => ({ what, list: rangesOf([range]) }));
const LOOPBACK = rangesOf(['127.0.0.0/8', '::1/128', '0.0.0.0/32', '::/128']);

/**
 * Why an address is not public, or null. The forms of IPv6 that carry an IPv4 address are refused as such,
 * whatever they carry: they are ways around a list.
 */
export function notPublic(address: string): string | null {
  const family = familyOf(address);
  if (family === null) return 'not an address';
  const found = (family === 'ipv4' ? V4_TABLE : V6_TABLE).find(({ list }) =>
    list.check(address, family),
  );
  if (found) return found.what;
  return family === 'ipv4' || PUBLIC_V6.check(address, family) ? null : 'reserved';
}

/** Loopback and "any": where a server that binds to them is reached from this machine only, or as any of its addresses. */
export function isLoopback(address: string): boolean {
  const family = familyOf(address);
  return family !== null && LOOPBACK.check(address, family);
}

/** `::ffff:a.b.c.d` and NAT64 as the IPv4 address they lead to, so that one place has one form; others as they are. */
export function plainAddress(address: string): string {
  if (isIP(address) !== 6) return address;
  // The URL parser writes every spelling of an IPv6 address the same way.
  const text = URL.parse(`http://[${address}]`)?.hostname.slice(1, -1) ?? address;
  const carried = /^(?:::ffff:|64:ff9b::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(text);
  if (!carried) return text;
  const [high = 0, low = 0] = carried.slice(1).map((part) => Number.parseInt(part, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** Ranges such as `10.1.0.0/16`, or single addresses. Throws CONFIG_INVALID that names the wrong one. */
export function rangesOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/');
    const family = familyOf(address);
    const most = family === 'ipv4' ? 32 : 128;
    const bits = prefix === undefined ? most : /^\d{1,3}$/.test(prefix) ? Number(prefix) : NaN;
    if (family === null || !(bits <= most))
      throw new HostError('CONFIG_INVALID', `fetch.addresses: ${range}: not such as "10.1.0.0/16"`);
    list.addSubnet(address, bits, family);
  }
  return list;
}

/** Null for what is no address; one with a zone (`fe80::1%eth0`) counts as none. */
export function familyOf(address: string): Family | null {
  if (address.includes('%')) return null;
  const version = isIP(address);
  return version === 0 ? null : version === 4 ? 'ipv4' : 'ipv6';
}

/** A host as names and addresses are compared and resolved: lower case, no brackets, no last dot. */
export function bareHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}

export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}
