/** Documents of the simulated cell: order, number and namespace of elements, XML and JSON forms. */
import { describe, expect, test } from 'vitest';

import { readAccept } from '../../../sdk/localcloud/cell/documents/accept.ts';
import { type Element, element, leaf } from '../../../sdk/localcloud/cell/documents/element.ts';
import { VcloudFault, faultElement } from '../../../sdk/localcloud/cell/documents/fault.ts';
import { compileFilter } from '../../../sdk/localcloud/cell/queries/fiql.ts';
import { fromJson, jsonName, toJson } from '../../../sdk/localcloud/cell/documents/json.ts';
import { validate } from '../../../sdk/localcloud/cell/documents/validate.ts';
import { readXml, writeXml } from '../../../sdk/localcloud/cell/documents/xml.ts';

const HEAD =
  'xmlns="http://www.vmware.com/vcloud/v1.5" xmlns:vmext="http://www.vmware.com/vcloud/extension/v1.5"';

const service = (inner: string, attributes = 'name="s"') =>
  readXml(`<vmext:Service ${HEAD} ${attributes}>${inner}</vmext:Service>`);

const ORDERED = [
  '<Description>d</Description>',
  '<vmext:Namespace>n</vmext:Namespace>',
  '<vmext:Enabled>true</vmext:Enabled>',
  '<vmext:AuthorizationEnabled>false</vmext:AuthorizationEnabled>',
  '<vmext:RoutingKey>k</vmext:RoutingKey>',
  '<vmext:Priority>50</vmext:Priority>',
  '<vmext:Exchange>e</vmext:Exchange>',
  '<vmext:Vendor>v</vmext:Vendor>',
  '<vmext:ApiFilters><vmext:ApiFilter><vmext:UrlPattern>/a</vmext:UrlPattern></vmext:ApiFilter></vmext:ApiFilters>',
];

describe('a Service must follow the schema', () => {
  test('the documented order is accepted, with and without the optional elements', () => {
    expect(validate(service(ORDERED.join('\n')), 'AdminService')).toBeUndefined();
    expect(validate(service(''), 'AdminService')).toBeUndefined();
  });

  test.each(ORDERED.slice(1).map((_, index) => index))(
    'elements %i and the next one exchanged are refused by name',
    (index) => {
      const swapped = ORDERED.with(index, ORDERED[index + 1] ?? '').with(
        index + 1,
        ORDERED[index] ?? '',
      );
      const late = /<(?:vmext:)?(\w+)/.exec(ORDERED[index] ?? '')?.[1];
      expect(validate(service(swapped.join('')), 'AdminService')).toContain(`}${late}'`);
    },
  );

  test('an element that comes twice, an unknown one, or one in the wrong namespace is refused', () => {
    const twice = '<vmext:Enabled>true</vmext:Enabled><vmext:Enabled>true</vmext:Enabled>';
    expect(validate(service(twice), 'AdminService')).toContain("}Enabled'");
    expect(validate(service('<vmext:Files/>'), 'AdminService')).toContain("}Files'");
    expect(validate(service('<Namespace>n</Namespace>'), 'AdminService')).toContain("}Namespace'");
    expect(validate(service('<vmext:Description>d</vmext:Description>'), 'AdminService')).toContain(
      "}Description'",
    );
  });

  test('a missing name, an unknown attribute and values of the wrong type are refused', () => {
    expect(validate(service('', ''), 'AdminService')).toContain("'name' must appear");
    expect(validate(service('', 'name="s" vendor="v"'), 'AdminService')).toContain("'vendor'");
    const wrong = '<vmext:Enabled>yes</vmext:Enabled>';
    expect(validate(service(wrong), 'AdminService')).toContain('not of type boolean');
    const high = '<vmext:Priority>high</vmext:Priority>';
    expect(validate(service(high), 'AdminService')).toContain('not of type int');
  });

  test('ServiceResources come before ResourceClassActions in a nested container', () => {
    const inner = (a: string, b: string) =>
      `<vmext:ResourceClasses><vmext:ResourceClass name="c"><vmext:MimeType>m</vmext:MimeType>${a}${b}</vmext:ResourceClass></vmext:ResourceClasses>`;
    const [resources, actions] = ['<vmext:ServiceResources/>', '<vmext:ResourceClassActions/>'];
    expect(validate(service(inner(resources, actions)), 'AdminService')).toBeUndefined();
    expect(validate(service(inner(actions, resources)), 'AdminService')).toContain(
      "}ServiceResources'",
    );
  });

  test('a Right wants Category, then BundleKey, then ServiceNamespace', () => {
    const right = (inner: string) => readXml(`<Right ${HEAD} name="r">${inner}</Right>`);
    const [category, key] = ['<Category>c</Category>', '<BundleKey>b</BundleKey>'];
    expect(validate(right(category + key), 'Right')).toBeUndefined();
    expect(validate(right(key + category), 'Right')).toContain("}BundleKey'");
    expect(validate(right(''), 'Right')).toContain("'Category'");
  });
});

describe('XML', () => {
  test('a pattern with escaped groups survives a round trip', () => {
    const pattern = '/api/backup/(?<id>[-,a-g,0-9]*)&"\'\n\t';
    const node = element('vmext:ApiFilter', { id: pattern }, [leaf('vmext:UrlPattern', pattern)]);
    const text = writeXml(node);
    expect(text).toContain('(?&lt;id&gt;');
    expect(readXml(text)).toEqual(node);
  });

  test('values are never turned into numbers, and numeric and CDATA text is read', () => {
    const read = (inner: string) => readXml(`<a>${inner}</a>`).text;
    expect(read('007')).toBe('007');
    expect(read('1e5')).toBe('1e5');
    expect(read('&#65;&#x42;')).toBe('AB');
    expect(read('<![CDATA[<x>&amp;&y;]]>')).toBe('<x>&amp;&y;');
    expect(read('<!-- c -->y')).toBe('y');
  });

  test.each([
    ['<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', 'document type'],
    ['<a>&x;</a>', "'&x;'"],
    ['<a><b></a>', 'not well-formed'],
    ['<a/><b/>', 'not exactly one root'],
    ['<a>'.repeat(5_000) + '</a>'.repeat(5_000), 'not readable'],
    ['', 'not'],
    ['<p:a/>', 'not bound'],
    [`${'<a>'.repeat(60)}${'</a>'.repeat(60)}`, 'nested deeper'],
    [`<a>${'x'.repeat(1_000_001)}</a>`, 'longer than'],
  ])('%j is refused', (text, reason) => {
    expect(() => readXml(text)).toThrow(reason);
  });
});

describe('JSON', () => {
  test('an error has the fields of a real cell in their order', () => {
    const fault = new VcloudFault(504, 'too late');
    expect(JSON.stringify(toJson(faultElement(fault), 'Error'))).toBe(
      '{"otherAttributes":{},"tenantError":null,"stackTrace":null,"message":"too late","majorErrorCode":504,"minorErrorCode":"GATEWAY_TIMEOUT","vendorSpecificErrorCode":null}',
    );
  });

  test('a Service read from JSON is the one read from XML, whatever the order of fields', () => {
    const json = {
      exchange: 'e',
      name: 's',
      priority: 50,
      enabled: true,
      namespace: 'n',
      apiFilters: { apiFilter: [{ urlPattern: '/a' }] },
    };
    const xml = service(
      '<vmext:Namespace>n</vmext:Namespace><vmext:Enabled>true</vmext:Enabled><vmext:Priority>50</vmext:Priority><vmext:Exchange>e</vmext:Exchange>' +
        (ORDERED[8] ?? ''),
    );
    const read = fromJson(json, 'AdminService', { ns: 'vmext', name: 'Service' });
    expect(read).toEqual(xml);
    expect(toJson(read, 'AdminService')).toMatchObject(json);
  });

  test('an unknown field, a list for a value and a value for an object are refused', () => {
    const read = (json: unknown): Element =>
      fromJson(json, 'AdminService', { ns: 'vmext', name: 'Service' });
    expect(() => read({ name: 's', routingkey: 'k' })).toThrow("'routingkey'");
    expect(() => read({ name: ['s'] })).toThrow("'name'");
    expect(() => read('s')).toThrow('must be an object');
  });

  test('names follow the bean rules', () => {
    expect(['RoutingKey', 'URL', 'AmqpVHost', 'error', 'ApiFilter'].map(jsonName)).toEqual([
      'routingKey',
      'url',
      'amqpVHost',
      'error',
      'apiFilter',
    ]);
  });
});

test.each([
  [undefined, 'xml', '39.1'],
  ['*/*', 'xml', '39.1'],
  ['application/*+xml;version=36.3', 'xml', '36.3'],
  ['application/json;version=37.0', 'json', '37.0'],
  ['application/*+json; version=38.1, application/json;version=38.1', 'json', '38.1'],
  ['text/html, application/xml;q=0.9, application/json;q=0.8', 'xml', '39.1'],
])('Accept %j means %s in version %s', (header, format, version) => {
  expect(readAccept(header)).toEqual({ format, version });
});

describe('query filters', () => {
  const hit = (filter: string, attributes: Record<string, string>) =>
    compileFilter(filter, ['name', 'namespace', 'service'])(attributes);
  const id = '0b8c8cd2-5af9-32ad-a0bd-dc356503a552';

  test.each([
    ['name==a', true],
    ['name==b', false],
    ['name!=b', true],
    ['name==a;namespace==n', true],
    ['name==a;namespace==m', false],
    ['name==b,namespace==n', true],
    ['(name==b,name==a);namespace==n', true],
    ['namespace==*', true],
    ['name==%61', true],
    [`service==${id}`, true],
    [`service==urn:vcloud:externalService:${id}`, true],
    ['service==0b8c8cd2-5af9-32ad-a0bd-dc356503a553', false],
  ])('%s is %s', (filter, verdict) => {
    const service = `http://127.0.0.1/api/admin/extension/service/${id}`;
    expect(hit(filter, { name: 'a', namespace: 'n', service })).toBe(verdict);
  });

  test.each(['name', 'name=gt=1', '(name==a', 'color==red', 'name==a)', ''])(
    '%j is refused with 400',
    (filter) => {
      expect(() => hit(filter, {})).toThrow(VcloudFault);
    },
  );
});
