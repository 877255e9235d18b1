/**
 * Names to addresses without a thread of the process: a plug-in whose name server is slow must not hold up
 * the host's files and other look-ups, as the system's resolver would (it has four threads for all).
 * May import: nothing.
 */
import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';

export interface Address {
  readonly address: string;
  readonly family: number;
}

/** All addresses of a name. Empty or rejecting when it has none. */
export type Resolve = (name: string, signal: AbortSignal) => Promise<readonly Address[]>;

const HOSTS_FILE = '/etc/hosts';
const QUERY_MS = 2_000;
const TRIES = 2;

/** The hosts file first, as everybody expects, then A and AAAA records. */
export const resolveName: Resolve = async (name, signal) => {
  const text = await readFile(HOSTS_FILE, 'utf8').catch(() => '');
  const listed = fromHostsFile(text, name);
  if (listed.length > 0) return listed;
  const resolver = new Resolver({ timeout: QUERY_MS, tries: TRIES });
  const cancel = () => resolver.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    return found.map((address) => ({ address, family: isIP(address) }));
  } finally {
    signal.removeEventListener('abort', cancel);
  }
};

/** Lines of `address name name…`; what follows a `#` is a comment. */
export function fromHostsFile(text: string, name: string): readonly Address[] {
  return text.split('\n').flatMap((line) => {
    const [address = '', ...names] = (line.split('#')[0] ?? '').trim().toLowerCase().split(/\s+/);
    const family = isIP(address);
    return family !== 0 && names.includes(name) ? [{ address, family }] : [];
  });
}
