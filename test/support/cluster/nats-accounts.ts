/** Users, accounts and operators of NATS for tests: nkeys, and the tokens that are signed with them. */
import { createHash } from 'node:crypto';

import { nkeys } from '@nats-io/transport-node';

type Pair = ReturnType<typeof nkeys.createUser>;

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');
const base64 = (bytes: string | Uint8Array) => Buffer.from(bytes).toString('base64url');

/** A user by key alone: what the server is told, and what the user keeps to itself. */
export function makeNkeyUser(): { readonly publicKey: string; readonly seed: string } {
  const pair = nkeys.createUser();
  return { publicKey: pair.getPublicKey(), seed: text(pair.getSeed()) };
}

/** A server in operator mode with one account that may use JetStream, and a user's `.creds` file. */
export function makeOperator(): { readonly config: readonly string[]; readonly creds: string } {
  const operator = nkeys.createOperator();
  const [system, account] = [nkeys.createAccount(), nkeys.createAccount()];
  const user = nkeys.createUser();
  const storage = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const open = { subs: -1, data: -1, payload: -1 };
  const limits = { ...open, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const accountJwt = sign(operator, account, {
    type: 'account',
    limits: { ...limits, ...storage },
  });
  const userJwt = sign(account, user, { type: 'user', pub: {}, sub: {}, ...open });
  return {
    config: [
      `operator: ${sign(operator, operator, { type: 'operator' })}`,
      'resolver: MEMORY',
      `system_account: ${system.getPublicKey()}`,
      `resolver_preload: { ${account.getPublicKey()}: ${accountJwt}, ${system.getPublicKey()}: ${sign(operator, system, { type: 'account', limits })} }`,
    ],
    creds: [
      '-----BEGIN NATS USER JWT-----',
      userJwt,
      '------END NATS USER JWT------',
      '',
      '-----BEGIN USER NKEY SEED-----',
      text(user.getSeed()),
      '------END USER NKEY SEED------',
      '',
    ].join('\n'),
  };
}

function sign(issuer: Pair, subject: Pair, claims: Readonly<Record<string, unknown>>): string {
  const body = {
    jti: createHash('sha256').update(subject.getPublicKey()).digest('hex'),
    iat: Math.floor(Date.now() / 1_000),
    iss: issuer.getPublicKey(),
    name: 'test',
    sub: subject.getPublicKey(),
    nats: { ...claims, version: 2 },
  };
  const head = base64(JSON.stringify({ typ: 'JWT', alg: 'ed25519-nkey' }));
  const signed = `${head}.${base64(JSON.stringify(body))}`;
  return `${signed}.${base64(issuer.sign(Buffer.from(signed)))}`;
}
