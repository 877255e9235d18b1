import { expect, test } from 'vitest';

import { readArchive, writeArchive } from '../../../host/bundles/archive/zip.ts';
import { readBundle } from '../../../host/bundles/archive/bundle.ts';
import { signBundle } from '../../../host/bundles/trust/signature.ts';
import { createSigningKey, readSigningKey } from '../../../host/bundles/trust/keys.ts';
import { createTrust, parseTrustFile, type Trust } from '../../../host/bundles/trust/trust.ts';
import { verifyBundle, type Verdict } from '../../../host/bundles/trust/verify.ts';
import {
  bundleOf,
  manifestOf,
  ORG_A,
  ownerOf,
  SCRIPT,
  trustFileOf,
  trustOf,
} from '../../support/plugins/bundles.ts';

const NOW = Date.parse('2026-06-01T00:00:00Z');
const provider = ownerOf();
const org = ownerOf({ id: ORG_A, kind: 'org', namespaces: ['org.example.demo'] });

function verdictOf(bytes: Uint8Array, trust: Trust, now = NOW): Verdict {
  return verifyBundle(readBundle(bytes), trust, now);
}

/** `ok`, or the code of the refusal, also when the bundle can not even be read. */
function outcomeOf(bytes: Uint8Array, trust: Trust): string {
  try {
    const verdict = verdictOf(bytes, trust);
    return verdict.ok ? 'ok' : verdict.code;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

test('a signed bundle is taken from its owner', () => {
  const signed = signBundle(bundleOf(), { key: provider.key });
  expect(verdictOf(signed, trustOf([provider]))).toEqual({
    ok: true,
    owner: { id: 'provider', kind: 'provider' },
    providerSigned: true,
    keyIds: [provider.key.keyId],
    notAfter: Date.parse('2100-01-01T00:00:00Z'),
  });
  expect(readBundle(signed).digest).toBe(readBundle(bundleOf()).digest);
  expect(signBundle(signed, { key: provider.key }).equals(signed)).toBe(true);
});

test('the provider countersigns what an org published, and the org stays its owner', () => {
  const trust = trustOf([{ ...provider, namespaces: ['*'] }, org]);
  const own = signBundle(bundleOf(), { key: org.key });
  expect(verdictOf(own, trust)).toMatchObject({ ok: true, providerSigned: false });
  const both = signBundle(own, { key: provider.key, counter: true });
  expect(verdictOf(both, trust)).toMatchObject({
    ok: true,
    owner: { id: ORG_A, kind: 'org' },
    providerSigned: true,
    keyIds: [org.key.keyId, provider.key.keyId],
  });
  const wrongWay = signBundle(signBundle(bundleOf(), { key: provider.key }), {
    key: org.key,
    counter: true,
  });
  expect(outcomeOf(wrongWay, trust)).toBe('BUNDLE_SIGNATURE_INVALID');
  expect(() => signBundle(bundleOf(), { key: org.key, counter: true })).toThrow(
    expect.objectContaining({ code: 'BUNDLE_UNSIGNED' }),
  );
  expect(() => signBundle(own, { key: org.key, counter: true })).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID' }),
  );
});

test('what is unsigned, of an unknown, revoked or expired key, or revoked itself is refused by its code', () => {
  const signed = signBundle(bundleOf(), { key: provider.key });
  const { digest } = readBundle(signed);
  const expired = { ...provider, notAfter: '2026-06-01T00:00:00Z' };
  expect(outcomeOf(bundleOf(), trustOf([provider]))).toBe('BUNDLE_UNSIGNED');
  expect(outcomeOf(signed, trustOf([]))).toBe('BUNDLE_KEY_UNKNOWN');
  expect(outcomeOf(signed, trustOf([expired]))).toBe('BUNDLE_KEY_EXPIRED');
  expect(outcomeOf(signed, trustOf([provider], [provider.key.keyId]))).toBe('BUNDLE_KEY_REVOKED');
  expect(outcomeOf(signed, trustOf([], [provider.key.keyId]))).toBe('BUNDLE_KEY_REVOKED');
  expect(outcomeOf(signed, trustOf([provider], [digest]))).toBe('BUNDLE_REVOKED');
});

test('a second signature must hold too', () => {
  const both = signBundle(signBundle(bundleOf(), { key: org.key }), {
    key: provider.key,
    counter: true,
  });
  expect(outcomeOf(both, trustOf([org]))).toBe('BUNDLE_KEY_UNKNOWN');
  expect(outcomeOf(both, trustOf([provider, org], [provider.key.keyId]))).toBe(
    'BUNDLE_KEY_REVOKED',
  );
});

test('a namespace belongs to the owner with the longest claim, and to nobody else', () => {
  const any = { ...provider, namespaces: ['*'] };
  const other = ownerOf({ id: 'other', namespaces: ['net.example'] });
  const byProvider = signBundle(bundleOf(), { key: provider.key });
  expect(outcomeOf(byProvider, trustOf([any]))).toBe('ok');
  expect(verdictOf(byProvider, trustOf([any, org]))).toMatchObject({
    code: 'BUNDLE_NAMESPACE_FOREIGN',
    message: expect.stringContaining(ORG_A),
  });
  const byOther = signBundle(bundleOf(), { key: other.key });
  expect(verdictOf(byOther, trustOf([provider, other]))).toMatchObject({
    code: 'BUNDLE_NAMESPACE_FOREIGN',
    message: expect.stringContaining('belongs to provider'),
  });
  expect(outcomeOf(byOther, trustOf([other]))).toBe('BUNDLE_NAMESPACE_FOREIGN');
  // `org.exampledemo` is not below `org.example`.
  const vcloud = { ...(manifestOf()['vcloud'] as object), namespace: 'org.exampledemo' };
  const near = bundleOf({ 'plugin.json': JSON.stringify(manifestOf({ vcloud })) });
  expect(outcomeOf(signBundle(near, { key: provider.key }), trustOf([provider]))).toBe(
    'BUNDLE_NAMESPACE_FOREIGN',
  );
});

test('a signature of one bundle is worth nothing on another', () => {
  const signed = signBundle(bundleOf(), { key: provider.key });
  const signature = Buffer.from(readBundle(signed).signature ?? '').toString();
  const trust = trustOf([provider]);
  const other = { 'main.js': `${SCRIPT};`, 'signature.json': signature };
  expect(outcomeOf(bundleOf(other), trust)).toBe('BUNDLE_SIGNATURE_INVALID');
  const added = { 'assets/x': '', 'signature.json': signature };
  expect(outcomeOf(bundleOf(added), trust)).toBe('BUNDLE_SIGNATURE_INVALID');
});

test('an envelope that is written in any other way is refused', () => {
  const signed = signBundle(bundleOf(), { key: provider.key });
  const text = Buffer.from(readBundle(signed).signature ?? '').toString();
  const envelope = JSON.parse(text) as { signatures: { keyid: string; sig: string }[] };
  const trust = trustOf([provider]);
  const [one] = envelope.signatures;
  for (const changed of [
    '',
    '{}',
    'null',
    text.trimEnd(),
    ` ${text}`,
    text.replace('{', '{ '),
    JSON.stringify({ ...envelope, extra: 1 }),
    `${JSON.stringify({ ...envelope, signatures: [] })}\n`,
    `${JSON.stringify({ ...envelope, signatures: [one, one, one] })}\n`,
    `${JSON.stringify({ ...envelope, signatures: [one, one] })}\n`,
    `${JSON.stringify({ ...envelope, signatures: [{ ...one, sig: '' }] })}\n`,
    `${JSON.stringify({ ...envelope, payloadType: 'text/plain' })}\n`,
    text.replace('{', '{"payload":"AAAA",'),
  ])
    expect(outcomeOf(bundleOf({ 'signature.json': changed }), trust)).toBe(
      'BUNDLE_SIGNATURE_INVALID',
    );
});

test('no bit of a signed and countersigned bundle can be changed without being found', () => {
  const trust = trustOf([{ ...provider, namespaces: ['*'] }, org]);
  const own = signBundle(bundleOf({ 'assets/logo.txt': 'logo' }), { key: org.key });
  const bytes = signBundle(own, { key: provider.key, counter: true });
  expect(outcomeOf(bytes, trust)).toBe('ok');
  const unseen: string[] = [];
  for (let at = 0; at < bytes.length; at++)
    for (let bit = 1; bit < 256; bit <<= 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ bit;
      const outcome = outcomeOf(changed, trust);
      if (!outcome.startsWith('BUNDLE_')) unseen.push(`byte ${at} bit ${bit}: ${outcome}`);
    }
  expect(unseen).toEqual([]);
});

test('no bit of any file can be changed by one who writes the archive anew', () => {
  const trust = trustOf([{ ...provider, namespaces: ['*'] }, org]);
  const own = signBundle(bundleOf({ 'assets/logo.txt': 'logo' }), { key: org.key });
  const files = readArchive(signBundle(own, { key: provider.key, counter: true }));
  const unseen: string[] = [];
  for (const [name, content] of files)
    for (let at = 0; at < content.length; at++)
      for (let bit = 1; bit < 256; bit <<= 1) {
        const changed = Buffer.from(content);
        changed[at] = (changed[at] ?? 0) ^ bit;
        const outcome = outcomeOf(writeArchive(new Map([...files, [name, changed]])), trust);
        if (!outcome.startsWith('BUNDLE_'))
          unseen.push(`${name} byte ${at} bit ${bit}: ${outcome}`);
      }
  expect([...files.keys()]).toEqual([
    'assets/logo.txt',
    'main.js',
    'plugin.json',
    'signature.json',
  ]);
  expect(unseen).toEqual([]);
}, 30_000);

test('no byte can be taken out of a signed bundle or put into it', () => {
  const trust = trustOf([provider]);
  const bytes = signBundle(bundleOf(), { key: provider.key });
  for (let at = 0; at <= bytes.length; at++) {
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
    const put = Buffer.concat([before, Buffer.from(' '), after]);
    expect(outcomeOf(put, trust)).toMatch(/^BUNDLE_/);
    if (at === bytes.length) continue;
    expect(outcomeOf(Buffer.concat([before, after.subarray(1)]), trust)).toMatch(/^BUNDLE_/);
  }
});

test('a private key is read back, and anything else is refused', () => {
  const key = createSigningKey();
  expect(readSigningKey(key.privatePem)).toEqual(key);
  expect(() => readSigningKey('nothing')).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID' }),
  );
});

test('a trust store that contradicts itself is refused', () => {
  const wrong = (owners: Parameters<typeof trustFileOf>[0]) => () =>
    createTrust(trustFileOf(owners, []));
  const refusal = (text: string) =>
    expect.objectContaining({ message: expect.stringContaining(text) });
  const other = ownerOf({ id: 'other' });
  expect(wrong([provider, other])).toThrow(refusal('claimed by provider'));
  expect(wrong([provider, { ...other, namespaces: ['Org.Example'] }])).toThrow(refusal('claimed'));
  expect(wrong([provider, { ...provider }])).toThrow(refusal('stands twice'));
  expect(wrong([provider, { ...other, namespaces: [], key: provider.key }])).toThrow(
    refusal('belongs to provider'),
  );
  expect(wrong([{ ...org, namespaces: ['*'] }])).toThrow(refusal('only the provider'));
  expect(wrong([{ ...org, id: 'acme' }])).toThrow(refusal('URN'));
  const mixed = { ...other, key: { ...other.key, keyId: provider.key.keyId } };
  expect(wrong([mixed])).toThrow(refusal('another key'));
  expect(() => parseTrustFile({ owners: [], revokd: [] })).toThrow(refusal('revokd'));
  expect(() => parseTrustFile({ revoked: ['xyz'] })).toThrow(refusal('revoked.0'));
});

test('an org that the trust store names in capitals is the org that vCloud names in lower case', () => {
  const id = 'urn:vcloud:org:ABCDEF00-0000-4000-8000-00000000000A';
  const trust = createTrust(trustFileOf([{ ...org, id }], []));
  expect(trust.keys.get(org.key.keyId)?.owner.id).toBe(id.toLowerCase());
  const twice = [{ ...org, id }, ownerOf({ id: id.toLowerCase(), kind: 'org', namespaces: [] })];
  expect(() => createTrust(trustFileOf(twice, []))).toThrow(/stands twice/);
});
