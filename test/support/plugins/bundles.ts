/** Small bundles, owners and trust stores for tests. */
import { writeArchive } from '../../../host/bundles/archive/zip.ts';
import { createSigningKey, type SigningKey } from '../../../host/bundles/trust/keys.ts';
import { signBundle } from '../../../host/bundles/trust/signature.ts';
import { createTrust, type Trust, type TrustFile } from '../../../host/bundles/trust/trust.ts';

export const ORG_A = 'urn:vcloud:org:00000000-0000-4000-8000-00000000000a';

export function manifestOf(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    name: 'demo',
    version: '1.0.0',
    main: 'main.js',
    vcloud: {
      name: 'demo',
      namespace: 'org.example.demo',
      exchange: 'sdkext',
      routingKey: 'demo',
      apiFilters: [{ urlPattern: '/api/demo' }],
    },
    routes: [{ method: 'GET', path: '/api/demo' }],
    ...changes,
  };
}

export const SCRIPT = '"use strict";globalThis.__vcx_plugin={fetch:()=>new Response("hi")};0';

/** The files of a bundle, with others beside or in place of them. */
export function filesOf(changes: Record<string, string> = {}): Map<string, Uint8Array> {
  const files = { 'plugin.json': JSON.stringify(manifestOf()), 'main.js': SCRIPT, ...changes };
  return new Map(Object.entries(files).map(([name, text]) => [name, Buffer.from(text)]));
}

export function bundleOf(changes: Record<string, string> = {}): Buffer {
  return writeArchive(filesOf(changes));
}

export interface TestOwner {
  readonly id: string;
  readonly kind: 'provider' | 'org';
  readonly key: SigningKey;
  readonly namespaces: readonly string[];
  /** @default '2100-01-01T00:00:00Z' */
  readonly notAfter?: string;
}

export function ownerOf(owner: Partial<Omit<TestOwner, 'key'>> = {}): TestOwner {
  return {
    id: 'provider',
    kind: 'provider',
    namespaces: ['org.example'],
    key: createSigningKey(),
    ...owner,
  };
}

export function trustOf(owners: readonly TestOwner[], revoked: readonly string[] = []): Trust {
  return createTrust(trustFileOf(owners, revoked));
}

export function trustFileOf(owners: readonly TestOwner[], revoked: readonly string[]): TrustFile {
  return {
    owners: owners.map(({ id, kind, key, namespaces, notAfter = '2100-01-01T00:00:00Z' }) => ({
      id,
      kind,
      keys: [{ keyId: key.keyId, publicKey: key.publicKey, notAfter }],
      namespaces: [...namespaces],
    })),
    revoked: [...revoked],
  };
}

export interface SignedSpec {
  readonly key: SigningKey;
  readonly version?: string;
  /** Body of the handler; `env`, `request` and `VERSION` are in its reach. */
  readonly handler?: string;
  /** All of main.js, in place of the handler. */
  readonly script?: string;
  readonly manifest?: Record<string, unknown>;
  /** Signs beside the owner. */
  readonly counter?: SigningKey;
}

const SAY_VERSION = 'return new Response(VERSION, { headers: { "x-version": VERSION } });';

/** A bundle named `demo` that answers with its version in body and header, unless told otherwise. */
export function signedBundle(spec: SignedSpec): Buffer {
  const { key, counter, version = '1.0.0', handler = SAY_VERSION } = spec;
  const script = `"use strict";const VERSION=${JSON.stringify(version)};globalThis.__vcx_plugin={async fetch(request,env,ctx){${handler}}};0`;
  const manifest = manifestOf({ version, ...spec.manifest });
  const bytes = bundleOf({
    'plugin.json': JSON.stringify(manifest),
    'main.js': spec.script ?? script,
  });
  const signed = signBundle(bytes, { key });
  return counter ? signBundle(signed, { key: counter, counter: true }) : signed;
}
