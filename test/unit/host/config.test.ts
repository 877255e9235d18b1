import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { isConfigured, readConfig } from '../../../host/config.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vcx-config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (text: string) => writeFileSync(join(folder, 'vcx.yaml'), text);

test('without file and environment every setting has its default', () => {
  const config = readConfig({}, folder);
  expect(config.amqp).toMatchObject({ urls: [], replyEnvelope: 'array' });
  expect(config.operator).toEqual({ host: '127.0.0.1', port: 8_780, hosts: [] });
  expect(config.plugins.folders).toEqual([join(folder, 'plugins')]);
  expect(isConfigured({}, folder)).toBe(false);
});

test('the environment wins over the file, key by key', () => {
  write(
    'amqp: { url: "amqp://a", replyEnvelope: object }\nvcloud: { extensionTimeoutMs: 20000 }\n',
  );
  const env = { VCX_AMQP_URL: 'amqps://b', VCX_VCLOUD_EXTENSION_TIMEOUT_MS: '5000', OTHER: 'x' };
  const config = readConfig(env, folder);
  expect(config.amqp).toMatchObject({ url: 'amqps://b', replyEnvelope: 'object' });
  expect(config.vcloud.extensionTimeoutMs).toBe(5_000);
  expect(isConfigured({}, folder)).toBe(true);
});

test('paths in the file are relative to the file', () => {
  write('plugins: { folders: [here] }\nvcloud: { passwordFile: secret }\n');
  const config = readConfig({}, folder);
  expect(config.plugins.folders).toEqual([join(folder, 'here')]);
  expect(config.vcloud.passwordFile).toBe(join(folder, 'secret'));
});

test.each([
  ['admission: { slots: many }', {}, 'admission.slots'],
  ['amqp: { url: "http://x" }', {}, 'amqp.url: a URL that begins with amqp:// or amqps://'],
  ['amqp: { replyEnvelope: list }', {}, 'amqp.replyEnvelope'],
  ['ampq: {}', {}, 'unknown key "ampq"'],
  ['operator: { port: 70000 }', {}, 'operator.port'],
  ['quotas: { ceilings: { cpuMs: 100ms } }', {}, 'quotas.ceilings.cpuMs'],
  ['quotas: { plugins: { p: { wallMs: 0 } } }', {}, 'quotas.plugins.p.wallMs'],
  ['quotas: { plugins: { p: { burst: 1.5 } } }', {}, 'quotas.plugins.p.burst'],
  // Below what an isolate can be made with.
  ['quotas: { orgs: { a: { memoryMb: 1 } } }', {}, 'quotas.orgs.a.memoryMb'],
  ['[1]', {}, 'the top level is not a mapping'],
  ['a: [', {}, 'vcx.yaml'],
  ['', { VCX_AMPQ_URL: 'x' }, 'VCX_AMPQ_URL: no such setting'],
  ['', { VCX_OPERATOR_PORT: 'eighty' }, 'operator.port'],
  ['', { VCX_CONFIG: '/does/not/exist.yaml' }, '/does/not/exist.yaml'],
])('%s with %j is refused naming the key', (text, env, expected) => {
  write(text);
  expect(() => readConfig(env, folder)).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(expected) }),
  );
});
