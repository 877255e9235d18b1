/**
 * Whom the operator trusts to publish bundles: owners, their keys and namespaces, and what was revoked.
 * May import: kernel.
 */
import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';

import { HostError, messageOf } from '../../kernel/errors.ts';
import { keyIdOf, readPublicKey } from './keys.ts';

const ORG = /^urn:vcloud:org:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;
const NAMESPACE = /^(?:\*|[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*)$/;

const ownerSchema = z.strictObject({
  /** Of an org: its URN. Of the provider: any name. */
  id: z.string().min(1).max(128),
  kind: z.enum(['provider', 'org']),
  keys: z
    .array(
      z.strictObject({
        keyId: z.string().regex(/^[0-9a-f]{32}$/, '32 hex digits'),
        /** SPKI, DER, base64. */
        publicKey: z.string().max(200),
        /** From then on the key proves nothing, for bundles signed before it neither. */
        notAfter: z.iso.datetime({ offset: true }),
      }),
    )
    .max(50),
  /** Namespaces that the owner's plug-ins may have, with all below them; `*` is any that nobody else claims. */
  namespaces: z.array(z.string().max(128).regex(NAMESPACE, 'a namespace such as org.example')),
});

const trustSchema = z.strictObject({
  owners: z.array(ownerSchema).max(1_000).default([]),
  /** Key ids and bundle digests. */
  revoked: z
    .array(z.string().regex(/^(?:[0-9a-f]{32}|[0-9a-f]{64})$/, 'a key id or a digest'))
    .default([]),
});

/** The file as the operator writes it. */
export type TrustFile = z.infer<typeof trustSchema>;

export interface Owner {
  readonly id: string;
  readonly kind: 'provider' | 'org';
}

export interface TrustedKey {
  readonly owner: Owner;
  readonly publicKey: KeyObject;
  /** Epoch ms. */
  readonly notAfter: number;
}

export interface Trust {
  readonly keys: ReadonlyMap<string, TrustedKey>;
  readonly revoked: ReadonlySet<string>;
  /** The owner with the longest claim that covers this namespace, or null. */
  holderOf(namespace: string): Owner | null;
}

/** Throws CONFIG_INVALID when the file can not be read or breaks a rule. */
export async function readTrust(file: string): Promise<Trust> {
  return createTrust(await readTrustFile(file));
}

/** The file with its syntax checked; `createTrust` checks the rest. Throws CONFIG_INVALID. */
export async function readTrustFile(file: string): Promise<TrustFile> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const why = isMissing
      ? `there is no file ${file}; \`vcx plugin keygen --trust FILE\` makes one`
      : messageOf(error);
    throw new HostError('CONFIG_INVALID', `trust store: ${why}`, { cause: error });
  }
  return parseTrustFile(value);
}

export function parseTrustFile(value: unknown): TrustFile {
  const result = trustSchema.safeParse(value);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new HostError('CONFIG_INVALID', `trust store: ${lines.join('; ')}`);
}

/** Throws CONFIG_INVALID for a key that is none, or that two hold; and for a namespace that two claim. */
export function createTrust(file: TrustFile): Trust {
  const keys = new Map<string, TrustedKey>();
  const claims = new Map<string, Owner>();
  const ids = new Set<string>();
  for (const { id: given, kind, keys: own, namespaces } of file.owners) {
    // Messages of vCloud name orgs in lower case, and so does all that is kept of them.
    const id = kind === 'org' ? given.toLowerCase() : given;
    const owner = { id, kind };
    if (ids.has(id)) throw wrong(`the owner ${id} stands twice`);
    ids.add(id);
    if (kind === 'org' && !ORG.test(id)) throw wrong(`${given}: the id of an org is its URN`);
    if (kind === 'org' && namespaces.includes('*'))
      throw wrong(`${id}: only the provider may claim every namespace`);
    for (const key of own) addKey(keys, owner, key);
    for (const name of namespaces) addClaim(claims, owner, name);
  }
  return {
    keys,
    revoked: new Set(file.revoked),
    holderOf: (namespace) => holderOf(claims, namespace),
  };
}

function addKey(
  keys: Map<string, TrustedKey>,
  owner: Owner,
  { keyId, publicKey, notAfter }: TrustFile['owners'][number]['keys'][number],
): void {
  const key = readPublicKey(publicKey);
  if (!key) throw wrong(`${owner.id}: ${keyId} is no Ed25519 public key`);
  if (keyIdOf(key) !== keyId) throw wrong(`${owner.id}: ${keyId} is the id of another key`);
  const holder = keys.get(keyId);
  if (holder) throw wrong(`${owner.id}: ${keyId} belongs to ${holder.owner.id} already`);
  keys.set(keyId, { owner, publicKey: key, notAfter: Date.parse(notAfter) });
}

function addClaim(claims: Map<string, Owner>, owner: Owner, namespace: string): void {
  // vCloud compares namespaces as they are, people do not: one that differs in case only is the same claim.
  const folded = namespace.toLowerCase();
  const holder = claims.get(folded);
  if (holder && holder.id !== owner.id)
    throw wrong(`${owner.id}: the namespace ${namespace} is claimed by ${holder.id} already`);
  claims.set(folded, owner);
}

function holderOf(claims: ReadonlyMap<string, Owner>, namespace: string): Owner | null {
  let name = namespace.toLowerCase();
  for (;;) {
    const owner = claims.get(name);
    if (owner) return owner;
    const dot = name.lastIndexOf('.');
    if (dot < 0) return claims.get('*') ?? null;
    name = name.slice(0, dot);
  }
}

function wrong(why: string): HostError {
  return new HostError('CONFIG_INVALID', `trust store: ${why}`);
}
