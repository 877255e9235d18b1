import { expect, test } from 'vitest';

import { createConfigs, createConfigSchema } from '../../../host/bindings/config/index.ts';
import type { TenantScope, TenantView } from '../../../host/storage/tenants.ts';

const object = (properties: object, rest: object = {}) =>
  createConfigSchema({ schema: { type: 'object', properties, ...rest } });
const invalid = expect.objectContaining({ code: 'TENANT_CONFIG_INVALID' });

test('a value that fits comes back with its defaults', () => {
  const schema = object({
    url: { type: 'string', format: 'uri' },
    retries: { type: 'integer', minimum: 0, maximum: 5, default: 3 },
    mode: { enum: ['fast', 'safe'], default: 'safe' },
  });
  expect(schema.parse({ url: 'https://a.example' })).toEqual({
    url: 'https://a.example',
    retries: 3,
    mode: 'safe',
  });
  expect(schema.parse(null)).toEqual({ retries: 3, mode: 'safe' });
});

test.each([
  [{ a: { type: 'string', minLength: 2 } }, { a: 'x' }],
  [{ a: { type: 'string', maxLength: 2 } }, { a: 'xyz' }],
  [{ a: { type: 'string', pattern: '^a+$' } }, { a: 'ab' }],
  [{ a: { type: 'string', format: 'email' } }, { a: 'nobody' }],
  [{ a: { type: 'string', format: 'ipv4' } }, { a: '300.1.1.1' }],
  [{ a: { type: 'integer' } }, { a: 1.5 }],
  [{ a: { type: 'number', exclusiveMinimum: 0 } }, { a: 0 }],
  [{ a: { type: 'number', multipleOf: 5 } }, { a: 7 }],
  [{ a: { type: 'boolean' } }, { a: 'true' }],
  [{ a: { type: 'null' } }, { a: 0 }],
  [{ a: { const: 1 } }, { a: 2 }],
  [{ a: { enum: ['x', null] } }, { a: 'y' }],
  [{ a: { type: 'array', items: { type: 'string' }, maxItems: 1 } }, { a: ['x', 'y'] }],
  [{ a: { type: 'array', items: { type: 'string' } } }, { a: [1] }],
  [{ a: { type: 'object', additionalProperties: { type: 'integer' } } }, { a: { x: 'y' } }],
])('%j does not take %j, and says where', (properties, value) => {
  expect(() => object(properties).parse(value)).toThrow(invalid);
  expect(() => object(properties).parse(value)).toThrow(/^config\.a/);
});

test('missing and unknown properties are named', () => {
  const schema = object(
    { a: { type: 'string' } },
    { required: ['a'], additionalProperties: false },
  );
  expect(() => schema.parse({})).toThrow(/config\.a/);
  expect(() => schema.parse({ a: 'x', secret: 'hunter2' })).toThrow(/secret/);
  expect(() => schema.parse({ a: 'x', secret: 'hunter2' })).not.toThrow(/hunter2/);
});

test.each([
  ['a type that is none', { a: { type: 'text' } }, /config\.schema\.properties\.a\.type/],
  ['a keyword that would not be checked', { a: { type: 'string', minimum: 1 } }, /a\.minimum/],
  ['a reference', { a: { $ref: '#/x' } }, /a\.type/],
  ['alternatives', { a: { anyOf: [] } }, /a\.type/],
  ['a pattern with a look-behind', { a: { type: 'string', pattern: '(?<=a)b' } }, /a\.pattern/],
  [
    'a pattern that would fill the memory',
    { a: { type: 'string', pattern: '((a{99}){99}){99}' } },
    /a\.pattern/,
  ],
  [
    'a pattern of more steps than anybody needs',
    { a: { type: 'string', pattern: '(?:(?:(?:a?b?c?)?){25}){36}[yz]$' } },
    /a\.pattern/,
  ],
  ['a default that does not fit', { a: { type: 'integer', default: 'x' } }, /a\.default/],
  ['a wrong bound', { a: { type: 'string', minLength: 'x' } }, /a\.minLength/],
])('%s is refused at install, with its place', (_what, properties, place) => {
  expect(() => object(properties)).toThrow(expect.objectContaining({ code: 'BUNDLE_INVALID' }));
  expect(() => object(properties)).toThrow(place);
});

test('a schema that is too deep, too large, or no object is refused', () => {
  let deep: object = { type: 'string' };
  for (let i = 0; i < 30; i += 1) deep = { type: 'object', properties: { x: deep } };
  expect(() => object({ deep })).toThrow(/too deep/);
  const many = Object.fromEntries(
    Array.from({ length: 600 }, (_, i) => [`p${i}`, { type: 'null' }]),
  );
  expect(() => object(many)).toThrow(/too large/);
  expect(() => createConfigSchema({ schema: { type: 'string' } })).toThrow(/object/);
});

test('a pattern that makes backtracking engines hang takes no time', () => {
  const schema = object({ a: { type: 'string', pattern: '^(a+)+$' } });
  expect(() => schema.parse({ a: `${'a'.repeat(4_000)}b` })).toThrow(invalid);
  expect(schema.parse({ a: 'a'.repeat(4_096) })).toBeDefined();
  // Even linear time adds up: 65,000 characters took 24 s of the host.
  expect(() => schema.parse({ a: 'a'.repeat(4_097) })).toThrow(/4096 characters/);
});

test('without a schema there is no configuration', () => {
  const none = createConfigSchema(null);
  expect(none.parse(null)).toBe(null);
  expect(() => none.parse({ a: 1 })).toThrow(invalid);
});

test('what does not fit is not kept, and each org gets its own', async () => {
  const views = new Map<string, TenantView>();
  const key = ({ plugin, org }: TenantScope) => `${plugin} ${org}`;
  const configs = createConfigs({
    view: (plugin, org) =>
      views.get(key({ plugin, org })) ?? { enabled: true, config: null, limits: {}, version: null },
    setConfig: async (scope, config) =>
      void views.set(key(scope), { enabled: true, config, limits: {}, version: null }),
  });
  const schema = object({ level: { type: 'integer', default: 1 } });
  const set = (org: string, config: unknown) =>
    configs.setConfig(schema, { scope: { plugin: 'p', org }, config, who: 'admin' });
  await set('a', { level: 7 });
  await expect(set('a', { level: 'high' })).rejects.toThrow(invalid);
  expect(configs.configOf(schema, { plugin: 'p', org: 'a' })).toEqual({ level: 7 });
  expect(configs.configOf(schema, { plugin: 'p', org: 'b' })).toEqual({ level: 1 });
  expect(configs.configOf(schema, { plugin: 'q', org: 'a' })).toEqual({ level: 1 });
  const stricter = object({ level: { type: 'integer', maximum: 5 } });
  expect(() => configs.configOf(stricter, { plugin: 'p', org: 'a' })).toThrow(invalid);
});
