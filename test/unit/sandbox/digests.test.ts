import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { answerDigest, isDigestCall } from '../../../host/runner/digests.ts';

const call = (method: unknown, args: unknown): string =>
  JSON.stringify({ binding: 'vcx:crypto', method, args });

test('a digest call is known by its binding only', () => {
  expect(isDigestCall(call('digest', {}))).toBe(true);
  expect(isDigestCall('{"binding":"kv","method":"vcx:crypto"}')).toBe(false);
});

test('digests and HMACs are those of Node', () => {
  const data = Buffer.from('abc').toString('base64');
  expect(JSON.parse(answerDigest(call('digest', { algorithm: 'SHA-256', data })))).toEqual({
    ok: true,
    value: createHash('sha256').update('abc').digest('base64'),
  });
  const key = Buffer.from('key').toString('base64');
  expect(JSON.parse(answerDigest(call('hmac', { algorithm: 'SHA-512', data, key })))).toMatchObject(
    { ok: true },
  );
});

test.each([
  ['an unknown algorithm', call('digest', { algorithm: 'md5', data: '' })],
  ['a name of the prototype', call('digest', { algorithm: 'constructor', data: '' })],
  ['no data', call('digest', { algorithm: 'SHA-1' })],
  ['an HMAC without a key', call('hmac', { algorithm: 'SHA-1', data: '' })],
  ['an unknown method', call('sign', { algorithm: 'SHA-1', data: '' })],
  ['no arguments', call('digest', null)],
  ['no JSON', '{"binding":"vcx:crypto",'],
])('%s is answered by a code', (_, text) => {
  expect(JSON.parse(answerDigest(text))).toMatchObject({ ok: false, code: 'BINDING_ARGUMENT' });
});
