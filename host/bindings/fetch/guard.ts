/**
 * Resolves the name of a fetch and gives out the addresses that may be connected to, or refuses.
 * May import: kernel.
 *
 * A name is resolved once for each request on the way, and the connection is made to what came out of
 * it: a name that changes its answer in between (DNS rebinding) changes nothing.
 */
import { isIP } from 'node:net';

import { HostError } from '../../kernel/errors.ts';
import { systemClock, type Clock } from '../../kernel/time.ts';
import { bareHost, familyOf, notPublic, portOf, rangesOf } from './addresses.ts';
import { createOwnServers, type Endpoint } from './own-servers.ts';
import { resolveName, type Address, type Resolve } from './resolver.ts';

export interface GuardOptions {
  /** Ranges that are not public and may be reached all the same, such as `10.1.0.0/16`. */
  readonly addresses: readonly string[];
  /** The cell, the brokers and the operator endpoint; asked for at every fetch. */
  readonly forbidden: () => readonly Endpoint[];
  /** For the names of fetches. @default the hosts file and DNS */
  readonly resolve?: Resolve;
  /** For the names in `forbidden`. @default the system's resolver */
  readonly resolveOwn?: (name: string) => Promise<readonly string[]>;
  readonly clock?: Clock;
}

export interface Guard {
  /** The addresses to connect to, all of them checked. Throws FETCH_ADDRESS_DENIED or FETCH_FAILED. */
  admit(url: URL, signal: AbortSignal): Promise<readonly Address[]>;
}

/** Throws CONFIG_INVALID for a range that is none. */
export function createGuard(options: GuardOptions): Guard {
  const { forbidden, resolve = resolveName, clock = systemClock } = options;
  const listed = rangesOf(options.addresses);
  const own = createOwnServers(forbidden, clock, options.resolveOwn);

  async function find(name: string, signal: AbortSignal): Promise<readonly Address[]> {
    const version = isIP(name);
    if (version !== 0) return [{ address: name, family: version }];
    const found = await resolve(name, signal).catch((error: unknown) => {
      throw new HostError('FETCH_FAILED', 'the name can not be resolved', { cause: error });
    });
    if (found.length === 0) throw new HostError('FETCH_FAILED', 'the name has no address');
    return found;
  }
  /** One that is refused refuses all: which of them is used is not the plug-in's to try out. */
  function checkPublic(found: readonly Address[]): void {
    for (const { address } of found) {
      const why = notPublic(address);
      const family = familyOf(address);
      if (why !== null && !(family && listed.check(address, family)))
        throw new HostError('FETCH_ADDRESS_DENIED', `the address is ${why}`);
    }
  }

  return {
    async admit(url, signal) {
      const name = bareHost(url.hostname);
      const addresses = await find(name, signal);
      checkPublic(addresses);
      await own.check({ name, port: portOf(url), addresses });
      return addresses;
    },
  };
}
