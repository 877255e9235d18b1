/**
 * Servers that no plug-in may reach, whatever the operator lists: the cell, the brokers, the operator endpoint.
 * May import: kernel.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

import { HostError } from '../../kernel/errors.ts';
import type { Clock } from '../../kernel/time.ts';
import { bareHost, isLoopback, plainAddress } from './addresses.ts';
import type { Address } from './resolver.ts';

/**
 * One on a loopback or "any" address is refused at its port on every address of this machine, any other at
 * all its ports.
 */
export interface Endpoint {
  /** A name, or an address with or without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface OwnServers {
  /** Throws FETCH_ADDRESS_DENIED, and FETCH_FAILED when it can not be told. */
  check(target: { name: string; port: number; addresses: readonly Address[] }): Promise<void>;
}

/** How long the addresses of our own servers are remembered. */
const REMEMBER_MS = 30_000;

/** These names are the operator's: the system's resolver is asked, as the clients of cell and broker do. */
async function systemAddresses(name: string): Promise<string[]> {
  const found = await lookup(name, { all: true });
  return found.map(({ address }) => address);
}

export function createOwnServers(
  endpoints: () => readonly Endpoint[],
  clock: Clock,
  resolve: (name: string) => Promise<readonly string[]> = systemAddresses,
): OwnServers {
  const known = new Map<string, { addresses: readonly string[]; until: number }>();

  /** The last known addresses when the resolver is away; with none ever known nothing can be told, so nothing passes. */
  async function addressesOf(host: string): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [plainAddress(host)];
    const before = known.get(host);
    const now = clock.monotonic();
    if (before && before.until > now) return before.addresses;
    try {
      const addresses = (await resolve(host)).map(plainAddress);
      known.set(host, { addresses, until: now + REMEMBER_MS });
      return addresses;
    } catch (cause) {
      if (before) return before.addresses;
      throw new HostError('FETCH_FAILED', 'the addresses of our own servers are not known', {
        cause,
      });
    }
  }

  return {
    async check({ name, port, addresses }) {
      const places = addresses.map(({ address }) => plainAddress(address));
      for (const endpoint of endpoints()) {
        const host = bareHost(endpoint.host);
        if (host === name && !isThisMachine(places)) throw denied();
        for (const own of await addressesOf(host)) {
          const hit = isLoopback(own)
            ? port === endpoint.port && isThisMachine(places)
            : places.includes(own);
          if (hit) throw denied();
        }
      }
    },
  };
}

function isThisMachine(addresses: readonly string[]): boolean {
  if (addresses.some(isLoopback)) return true;
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return own.some(({ address }) => addresses.includes(plainAddress(address)));
}

function denied(): HostError {
  return new HostError('FETCH_ADDRESS_DENIED', 'this server is not for plug-ins');
}
