/**
 * Broker addresses: parsed once, and shown without the credentials in them.
 * May import: kernel.
 */
import { HostError } from '../../kernel/errors.ts';
import type { Credentials } from '../options.ts';

export interface Address {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** As in the URL, percent-encoded; '' is the vhost `/`. */
  readonly vhost: string;
  /** From the URL; guest/guest when it has none. */
  readonly credentials: { readonly username: string; readonly password: string };
  /** `HOST:PORT`, for people. */
  readonly shown: string;
}

/** Read the configured URLs. Throws `CONFIG_INVALID` naming the place, never the text: it may hold a password. */
export function parseAddresses(urls: readonly string[]): Address[] {
  if (urls.length === 0) throw new HostError('CONFIG_INVALID', 'amqp.urls: at least one address');
  return urls.map((url, index) => parseAddress(url, `amqp.urls[${index}]`));
}

function parseAddress(url: string, key: string): Address {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const expected = `${key}: expected amqp://USER:PASSWORD@HOST:PORT/VHOST or amqps://…`;
  if (!parsed?.hostname || !['amqp:', 'amqps:'].includes(parsed.protocol))
    throw new HostError('CONFIG_INVALID', expected);
  const secure = parsed.protocol === 'amqps:';
  const host = parsed.hostname.replace(/^\[|\]$/g, '');
  const port = Number(parsed.port) || (secure ? 5671 : 5672);
  const given = parsed.username !== '' || parsed.password !== '';
  return {
    secure,
    host,
    port,
    vhost: parsed.pathname.slice(1),
    credentials: given
      ? { username: unescape(parsed.username, key), password: unescape(parsed.password, key) }
      : { username: 'guest', password: 'guest' },
    shown: `${parsed.hostname}:${port}`,
  };
}

function unescape(text: string, key: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new HostError('CONFIG_INVALID', `${key}: user or password is not percent-encoded UTF-8`);
  }
}

/** True for the well-known account on a broker that others can reach: anybody may publish there. */
export function isOpenToAll(address: Address, credentials: Credentials): boolean {
  if ('external' in credentials) return false;
  const { username, password } = credentials;
  return username === 'guest' && password === 'guest' && !isLoopback(address.host);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}
