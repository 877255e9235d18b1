/** Documents from values and back: order, namespaces, types and hostile text. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeXml, encodeXml, mediaTypeOf } from '../../../host/message/xml/documents.ts';
import { decodeRecords } from '../../../host/message/xml/records.ts';

const VCLOUD = 'http://www.vmware.com/vcloud/v1.5';
const VMEXT = 'http://www.vmware.com/vcloud/extension/v1.5';

describe('what is written', () => {
  test('children come in the order of the schema, whatever the order of the value', () => {
    const xml = encodeXml('Service', {
      Vendor: 'v',
      Exchange: 'e',
      ApiFilters: { ApiFilter: [{ UrlPattern: 'u' }] },
      Priority: 1,
      Namespace: 'n',
      RoutingKey: 'r',
      Description: 'd',
      Enabled: true,
      AuthorizationEnabled: false,
      name: 'backup',
    });
    expect([...xml.matchAll(/<(?:vmext:)?([A-Z]\w+)/g)].map(([, name]) => name)).toEqual([
      'Service',
      'Description',
      'Namespace',
      'Enabled',
      'AuthorizationEnabled',
      'RoutingKey',
      'Priority',
      'Exchange',
      'Vendor',
      'ApiFilters',
      'ApiFilter',
      'UrlPattern',
    ]);
    expect(xml).toContain('<Description>');
    expect(xml).toContain('<vmext:Namespace>');
  });

  test("a file's description is in the namespace of extensions, everybody else's is not", () => {
    expect(encodeXml('FileDescriptor', { Description: 'd' })).toContain('<vmext:Description>');
    expect(encodeXml('AclRule', { name: 'a', Description: 'd' })).toContain('<Description>');
  });

  test('the entity of an access has its type written out', () => {
    const Entity = { href: 'h' };
    const xml = encodeXml('AclRule', { name: 'a', PrincipalAccess: { Access: 'Entity', Entity } });
    expect(xml).toContain('<vmext:Entity xsi:type="vcloud:ResourceReferenceType" href="h"/>');
    expect(decodeXml('AclRule', xml).PrincipalAccess).toEqual({ Access: 'Entity', Entity });
  });

  test.each([
    ['a required attribute', () => encodeXml('Task', { name: 'task' })],
    ['a required element', () => encodeXml('Right', { name: 'r' })],
    ['a whole number', () => encodeXml('Service', { name: 's', Priority: 1.5 })],
    ['a legal character', () => encodeXml('Service', { name: 's\u0000' })],
    ['a whole surrogate pair', () => encodeXml('Service', { name: 's\ud800' })],
  ])('without %s nothing is written', (_, write) => {
    expect(write).toThrow(expect.objectContaining({ code: 'XML_INVALID' }));
  });

  test('media types are those of the schema, with the one that is named differently', () => {
    expect(mediaTypeOf('Service')).toBe('application/vnd.vmware.admin.service+xml');
    expect(mediaTypeOf('BlockingTaskUpdateProgressParams')).toBe(
      'application/vnd.vmware.admin.blockingTaskUpdateProgressOperationParams+xml',
    );
  });
});

describe('there and back', () => {
  test.each([
    '(?<id>[^/&<>"\']+)',
    '(?&lt;id&gt;x)',
    ']]>',
    ' leading and trailing ',
    'tab\tline\nreturn\r\n',
    '{baseUri}org/{resourceId}',
    '0x10',
    '1e5',
    '007',
    '\u00e9\u{1f600}',
    '<!-- -->',
    '<?xml?>',
  ])('the text %j', (text) => {
    const value = {
      name: text,
      Description: text,
      ApiFilters: { ApiFilter: [{ UrlPattern: text }] },
    };
    expect(decodeXml('Service', encodeXml('Service', value))).toEqual(value);
  });

  test('any text that XML can hold', () => {
    // The characters of XML 1.0.
    const point = fc.oneof(
      fc.constantFrom(0x9, 0xa, 0xd),
      fc.integer({ min: 0x20, max: 0xd7_ff }),
      fc.integer({ min: 0xe0_00, max: 0xff_fd }),
      fc.integer({ min: 0x1_00_00, max: 0x10_ff_ff }),
    );
    const text = fc.string({ unit: point.map((code) => String.fromCodePoint(code)) });
    fc.assert(
      fc.property(text, text, (name, pattern) => {
        const value = { name, ...(pattern ? { Vendor: pattern } : {}) };
        expect(decodeXml('Service', encodeXml('Service', value))).toEqual(value);
      }),
    );
  });

  test('booleans and numbers are what the schema says, in all their spellings', () => {
    const service = (inner: string) =>
      decodeXml('Service', `<s:Service xmlns:s="${VMEXT}" name="5">${inner}</s:Service>`);
    expect(service('<s:Enabled> 1 </s:Enabled><s:Priority> +50</s:Priority>')).toEqual({
      name: '5',
      Enabled: true,
      Priority: 50,
    });
    for (const wrong of ['<s:Enabled>yes</s:Enabled>', '<s:Priority>1e2</s:Priority>'])
      expect(() => service(wrong)).toThrow(expect.objectContaining({ code: 'XML_INVALID' }));
  });
});

describe('what is read', () => {
  test('unknown elements and attributes of newer versions are passed over', () => {
    const xml = `<e:Service xmlns:e="${VMEXT}" xmlns="${VCLOUD}" name="s" newer="1"><VCloudExtension><x xmlns="u"/></VCloudExtension><Link rel="edit" href="h"/><e:Newer/><e:Namespace>n</e:Namespace></e:Service>`;
    expect(decodeXml('Service', xml)).toEqual({
      name: 's',
      Link: [{ rel: 'edit', href: 'h' }],
      Namespace: 'n',
    });
  });

  test('another document, or the same name in another namespace, is not taken for it', () => {
    for (const xml of [
      '<Service/>',
      `<Service xmlns="${VCLOUD}"/>`,
      `<ApiFilter xmlns="${VMEXT}"/>`,
    ])
      expect(() => decodeXml('Service', xml)).toThrow(
        expect.objectContaining({ code: 'XML_INVALID' }),
      );
  });

  test('an XML notification, as the guide prints it', () => {
    const xml = `<vmext:Notification xmlns="${VCLOUD}" xmlns:vmext="${VMEXT}" type="com/vmware/vcloud/event/vm/create" eventId="urn:vcloud:event:1">
      <vmext:Link rel="entityResolver" href="https://vcd/api/entity/"/>
      <vmext:EntityLink rel="entity" type="vcloud:vm" name="vm" id="urn:vcloud:vm:1"/>
      <vmext:EntityLink rel="up" type="vcloud:org" name="org" id="urn:vcloud:org:2"/>
      <vmext:Timestamp>2011-06-18T14:33:27.787+03:00</vmext:Timestamp>
      <vmext:OperationSuccess>true</vmext:OperationSuccess></vmext:Notification>`;
    expect(decodeXml('Notification', xml)).toMatchObject({
      type: 'com/vmware/vcloud/event/vm/create',
      EntityLink: [{ rel: 'entity' }, { rel: 'up', id: 'urn:vcloud:org:2' }],
      Timestamp: '2011-06-18T14:33:27.787+03:00',
      OperationSuccess: true,
    });
  });

  test('records of a query with their attributes, whatever these are called', () => {
    const page = decodeRecords(
      `<QueryResultRecords xmlns="${VCLOUD}" page="1" pageSize="25" total="30"><Link rel="nextPage" href="n"/><ApiFilterRecord urlPattern="/a(?&lt;id&gt;.*)" constructor="c" href="h"/><OtherRecord/></QueryResultRecords>`,
    );
    expect(page).toMatchObject({ page: 1, pageSize: 25, total: 30, links: [{ rel: 'nextPage' }] });
    expect(page.records.map(({ kind }) => kind)).toEqual(['ApiFilterRecord', 'OtherRecord']);
    expect(page.records[0]?.attributes['urlPattern']).toBe('/a(?<id>.*)');
    expect(page.records[1]?.attributes['constructor']).toBeUndefined();
  });
});
