/**
 * Opens one AMQP connection: credentials and certificates are read anew each time.
 * May import: kernel, amqplib.
 */
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';

import { type ChannelModel, type SocketOptions, connect, credentials as sasl } from 'amqplib';

import { HostError } from '../../kernel/errors.ts';
import { type Address, isOpenToAll } from './address.ts';
import { coalesceWrites } from './coalesce.ts';
import type { Settings, TlsOptions } from '../options.ts';

/** A broker that accepts and then says nothing is left after this time. */
const SILENCE_MS = 5_000;

export interface DialSpec {
  readonly address: Address;
  readonly settings: Settings;
  /** Name in the broker's list of connections. */
  readonly name: string;
  /** Ends an attempt under way. A connection that was made is not touched by it. */
  readonly signal: AbortSignal;
}

/** Connect once. Rejects with amqplib's or the socket's error. */
export async function dial({ address, settings, name, signal }: DialSpec): Promise<ChannelModel> {
  const known = (await settings.credentials?.()) ?? address.credentials;
  if (isOpenToAll(address, known))
    settings.log.warn('broker.guest_account', {
      address: address.shown,
      advice:
        'whoever reaches this broker may publish to any service: give vcx an account of its own',
    });
  const attempt = new AbortController();
  const abort = () => attempt.abort();
  const options: SocketOptions & { signal: AbortSignal } = {
    // amqplib leaves Nagle's algorithm on, which costs 40 ms a call.
    noDelay: true,
    keepAlive: true,
    timeout: SILENCE_MS,
    signal: attempt.signal,
    credentials: 'external' in known ? sasl.external() : sasl.plain(known.username, known.password),
    clientProperties: { connection_name: name, product: 'vcx' },
    ...(address.secure ? await secureOptions(settings.tls) : {}),
  };
  const target = {
    protocol: address.secure ? 'amqps' : 'amqp',
    hostname: address.host,
    port: address.port,
    vhost: address.vhost,
    heartbeat: settings.heartbeatS,
  };
  signal.addEventListener('abort', abort);
  try {
    signal.throwIfAborted();
    const model = await connect(target, options);
    // Without this a fault that comes before the caller listens would end the process.
    model.on('error', () => undefined);
    const socket = socketOf(model);
    if (socket) coalesceWrites(socket);
    return model;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function secureOptions(tls: TlsOptions): Promise<SocketOptions> {
  const [ca, cert, key] = await Promise.all([
    readPem(tls.caFile, 'amqp.tls.caFile'),
    readPem(tls.certFile, 'amqp.tls.certFile'),
    readPem(tls.keyFile, 'amqp.tls.keyFile'),
  ]);
  return {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(tls.serverName !== undefined && { servername: tls.serverName }),
  };
}

async function readPem(path: string | undefined, key: string): Promise<Buffer | null> {
  if (path === undefined) return null;
  return readFile(path).catch((cause: unknown) => {
    throw new HostError('CONFIG_INVALID', `${key}: ${path} can not be read`, { cause });
  });
}

/** The socket below a connection: amqplib ends it politely, which a dead peer never answers. */
export function socketOf(model: ChannelModel): Socket | null {
  return (model.connection as { stream?: Socket }).stream ?? null;
}
