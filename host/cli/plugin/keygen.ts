/**
 * `vcx plugin keygen`: a signing key, and the entry of its owner in a trust store.
 * May import: everything.
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';

import { createSigningKey } from '../../bundles/trust/keys.ts';
import { createTrust, parseTrustFile, type TrustFile } from '../../bundles/trust/trust.ts';
import { HostError, messageOf } from '../../kernel/errors.ts';
import { fileError, readText, writeWhole } from './files.ts';
import type { Answer } from './run.ts';

export interface KeygenOptions {
  readonly out: string;
  readonly owner: string;
  readonly kind: 'provider' | 'org';
  readonly namespace: readonly string[];
  readonly days: number;
  /** Trust store to add the key to; made when it is not there. */
  readonly trust?: string;
}

type OwnerEntry = TrustFile['owners'][number];

const DAY_MS = 86_400_000;

/** The private key is written for its owner's eyes only, and never over another one. */
export async function keygen(options: KeygenOptions): Promise<Answer> {
  const { out, owner: id, kind, namespace, days, trust } = options;
  const { keyId, publicKey, privatePem } = createSigningKey();
  const notAfter = new Date(Date.now() + days * DAY_MS).toISOString();
  const owner: OwnerEntry = {
    id,
    kind,
    keys: [{ keyId, publicKey, notAfter }],
    namespaces: [...namespace],
  };
  // Both are checked before anything is written.
  const store = trust === undefined ? null : withOwner(await storeOf(trust), owner);
  createTrust(store ?? parseTrustFile({ owners: [owner] }));
  await writeFile(out, privatePem, { mode: 0o600, flag: 'wx' }).catch((error: unknown) => {
    throw fileError(out, error);
  });
  if (trust !== undefined && store) await writeWhole(trust, `${JSON.stringify(store, null, 2)}\n`);
  return {
    ok: true,
    text: [
      `${out}: private key ${keyId}, valid until ${notAfter}; keep it to yourself`,
      ...(trust === undefined
        ? ['What the operator adds to `owners` in the trust store:', JSON.stringify(owner, null, 2)]
        : [`${trust}: ${id} may publish with it`]),
    ],
    json: { file: out, keyId, notAfter, owner, trust: trust ?? null },
  };
}

/** One that can not be read is not taken for one that is not there: it would be written over. */
async function storeOf(file: string): Promise<TrustFile> {
  if (!existsSync(file)) return { owners: [], revoked: [] };
  const text = await readText(file);
  try {
    return parseTrustFile(JSON.parse(text));
  } catch (error) {
    if (error instanceof HostError) throw error;
    throw new HostError('CONFIG_INVALID', `${file}: ${messageOf(error)}`, { cause: error });
  }
}

/** A known owner gets another key, and the namespaces that are new. */
function withOwner(store: TrustFile, owner: OwnerEntry): TrustFile {
  const known = store.owners.find(({ id }) => id === owner.id);
  if (!known) return { ...store, owners: [...store.owners, owner] };
  if (known.kind !== owner.kind)
    throw new HostError('CONFIG_INVALID', `${owner.id} is of the kind ${known.kind}`);
  const merged = {
    ...known,
    keys: [...known.keys, ...owner.keys],
    namespaces: [...new Set([...known.namespaces, ...owner.namespaces])],
  };
  return { ...store, owners: store.owners.map((one) => (one === known ? merged : one)) };
}
