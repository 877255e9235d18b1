/**
 * Credentials and certificates for NATS, from files that are read again at every connect.
 * May import: kernel, @nats-io.
 */
import { readFileSync } from 'node:fs';

import {
  credsAuthenticator,
  nkeyAuthenticator,
  usernamePasswordAuthenticator,
  type Authenticator,
  type ConnectionOptions,
} from '@nats-io/transport-node';

import { HostError, messageOf } from '../../kernel/errors.ts';
import type { ClusterSettings } from './options.ts';

/** Throws CONFIG_INVALID when a file can not be read now; later the last good content is used. */
export function authenticatorOf({ credentials, log }: ClusterSettings): Authenticator | null {
  if (credentials === null) return null;
  const fresh = (key: string, file: string) => rereading(file, key, log);
  switch (credentials.kind) {
    case 'password': {
      const password = fresh('cluster.passwordFile', credentials.passwordFile);
      return usernamePasswordAuthenticator(credentials.user, () => password().trim());
    }
    case 'nkey': {
      const seed = fresh('cluster.nkeyFile', credentials.seedFile);
      return checked(
        nkeyAuthenticator(() => Buffer.from(seed().trim())),
        'cluster.nkeyFile: it does not hold the seed of an nkey',
      );
    }
    case 'creds': {
      const file = fresh('cluster.credentialsFile', credentials.file);
      return checked(
        credsAuthenticator(() => Buffer.from(file())),
        'cluster.credentialsFile: it does not hold a JWT and a seed',
      );
    }
  }
}

/** The client reads them at every connect. Throws CONFIG_INVALID when one can not be read now. */
export function tlsOf({ tls, servers }: ClusterSettings): ConnectionOptions['tls'] {
  const secure = servers.some((server) => server.startsWith('tls:'));
  if (tls === null) return secure ? {} : undefined;
  for (const [name, file] of Object.entries(tls)) read(file as string, `cluster.${name}`);
  const { caFile, certFile, keyFile } = tls;
  if ((certFile === undefined) !== (keyFile === undefined))
    throw new HostError('CONFIG_INVALID', 'cluster: certFile and keyFile go together');
  return {
    ...(caFile !== undefined && { caFile }),
    ...(certFile !== undefined && { certFile }),
    ...(keyFile !== undefined && { keyFile }),
  };
}

/** A client whose authenticator throws gives up for good, so a file that is gone for a moment must not throw. */
function rereading(file: string, key: string, log: ClusterSettings['log']): () => string {
  let text = read(file, key);
  return () => {
    try {
      text = read(file, key);
    } catch (error) {
      log.warn('cluster.credentials_unreadable', { key, error: messageOf(error) });
    }
    return text;
  };
}

function read(file: string, key: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new HostError('CONFIG_INVALID', `${key}: the file can not be read`, { cause });
  }
}

/** Sign once, so that a malformed key shows itself now and with its name. */
function checked(authenticator: Authenticator, problem: string): Authenticator {
  try {
    authenticator('nonce');
  } catch {
    // No cause: the message of the library may quote the key.
    throw new HostError('CONFIG_INVALID', problem);
  }
  return (nonce) => {
    try {
      return authenticator(nonce);
    } catch {
      return undefined;
    }
  };
}
