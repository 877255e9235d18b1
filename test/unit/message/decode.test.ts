import { expect, test } from 'vitest';

import { decodeDelivery } from '../../../host/message/decode.ts';
import { redactedCopy } from '../../../host/message/redact.ts';
import {
  ACME,
  ALICE,
  SYSTEM_ORG,
  delivery,
  httpMessage,
  securityContext,
} from '../../support/pipeline/messages.ts';

const options = { maxMessageBytes: 1_048_576, systemOrg: SYSTEM_ORG };
const decode = (...args: Parameters<typeof delivery>) => decodeDelivery(delivery(...args), options);
const call = (...args: Parameters<typeof delivery>) => {
  const decoded = decode(...args);
  if (decoded.kind !== 'call') throw new Error(JSON.stringify(decoded));
  return decoded.call;
};

test('a message as a real cell sends it becomes a call', () => {
  expect(
    call(
      {
        http: { id: 'i-1', method: 'POST', queryString: 'a=%20b', body: 'eyJ4IjoxfQ==' },
        security: { rights: ['urn:vcloud:right:1'] },
      },
      {
        headers: {
          messageType: 'ProcessHttpRequest',
          replyToExchange: 'x',
          replyByTimestamp: 1_588_674_993_318,
        },
      },
    ),
  ).toMatchObject({
    id: 'i-1',
    kind: 'request',
    method: 'POST',
    path: '/api/hello',
    query: 'a=%20b',
    host: 'vcloud.example.com',
    body: 'eyJ4IjoxfQ==',
    bodyBytes: 7,
    identity: { user: ALICE, org: ACME, rights: new Set(['urn:vcloud:right:1']), provider: false },
    address: { exchange: 'x', routingKey: 'vcd.replyQueue.cell-1' },
    replyBy: 1_588_674_993_318,
  });
});

test('what real cells do differently from the documentation is understood', () => {
  const documented = httpMessage({
    requestURI: '/api/hello',
    body: undefined,
    statusCode: undefined,
  });
  delete documented['requestUri'];
  expect(
    call(
      {},
      { body: Buffer.from(JSON.stringify([documented, securityContext({ rights: null })])) },
    ),
  ).toMatchObject({
    path: '/api/hello',
    body: null,
    bodyBytes: 0,
  });
  expect(
    call({ security: { rights: 'urn:vcloud:right:1, urn:vcloud:right:2' } }).identity.rights,
  ).toEqual(new Set(['urn:vcloud:right:1', 'urn:vcloud:right:2']));
  expect(call({ http: { headers: { ACCEPT: 'a/b', 'X-Number': 5 } } })).toMatchObject({
    accept: 'a/b',
    headers: [
      ['ACCEPT', 'a/b'],
      ['X-Number', '5'],
    ],
  });
  expect(call({ http: { requestUri: '/api/hello?a=1' } })).toMatchObject({
    path: '/api/hello',
    query: 'a=1',
  });
  expect(call({ security: { org: SYSTEM_ORG } }).identity.provider).toBe(true);
  expect(
    call(
      { http: { statusCode: 201 } },
      { headers: { MessageType: 'ProcessHttpResponse', ReplyToExchange: 'x' } },
    ),
  ).toMatchObject({
    kind: 'response',
    statusCode: 201,
    address: { exchange: 'x' },
  });
  // As an encoder for mail breaks lines.
  expect(call({ http: { body: 'eyJ4\r\nIjox\nfQ==\r\n' } })).toMatchObject({
    body: 'eyJ4IjoxfQ==',
    bodyBytes: 7,
  });
});

test('a response that does not say what it answers is one all the same', () => {
  const http = { statusCode: 200, method: null, requestUri: undefined };
  const headers = { messageType: 'ProcessHttpResponse', replyToExchange: 'x' };
  expect(call({ http }, { headers })).toMatchObject({ kind: 'response', method: 'GET', path: '/' });
});

test('credentials and identity headers are taken out before anything else sees them', () => {
  const headers = {
    Accept: 'x',
    Authorization: 'MARK',
    COOKIE: 'MARK',
    'x-vcloud-authorization': 'MARK',
    'X-VMWARE-VCLOUD-ACCESS-TOKEN': 'MARK',
    'X-Vmware-Vcloud-Tenant-Context': 'MARK',
    'Proxy-Authorization': 'MARK',
    'X-HTTP-Method-Override': 'DELETE',
    'X-VMWARE-VCLOUD-CLIENT-REQUEST-ID': 'mine',
  };
  expect(call({ http: { headers } }).headers).toEqual([
    ['Accept', 'x'],
    ['X-VMWARE-VCLOUD-CLIENT-REQUEST-ID', 'mine'],
  ]);
});

test.each([
  [
    'unknown messageType',
    {},
    { headers: { messageType: 'Other', replyToExchange: 'x' } },
    'MESSAGE_TYPE_UNKNOWN',
  ],
  ['body that is not base64', { http: { body: '***' } }, {}, 'BODY_NOT_BASE64'],
  ['body of a wrong length', { http: { body: 'abcde' } }, {}, 'BODY_NOT_BASE64'],
  ['body of line ends alone', { http: { body: '\r\n' } }, {}, 'BODY_NOT_BASE64'],
  ['body of a wrong type', { http: { body: 5 } }, {}, 'BODY_NOT_BASE64'],
  [
    'a response without a status',
    {},
    { headers: { messageType: 'ProcessHttpResponse', replyToExchange: 'x' } },
    'MESSAGE_INVALID',
  ],
  ['no method', { http: { method: '' } }, {}, 'MESSAGE_INVALID'],
  ['a method with a newline', { http: { method: 'GET\r\n' } }, {}, 'MESSAGE_INVALID'],
  ['no path', { http: { requestUri: '' } }, {}, 'MESSAGE_INVALID'],
  ['a query of a wrong type', { http: { queryString: 5 } }, {}, 'MESSAGE_INVALID'],
  ['an ambiguous path', { http: { requestUri: '/api/%2e%2e/x' } }, {}, 'PATH_AMBIGUOUS'],
  ['no user', { security: { user: null } }, {}, 'MESSAGE_INVALID'],
  ['an org that is no URN', { security: { org: 'acme' } }, {}, 'MESSAGE_INVALID'],
  ['rights of a wrong type', { security: { rights: [1] } }, {}, 'MESSAGE_INVALID'],
  [
    'too many rights',
    { security: { rights: Array(20_001).fill('urn:vcloud:right:1') } },
    {},
    'MESSAGE_INVALID',
  ],
  [
    'no security context',
    {},
    { body: Buffer.from(JSON.stringify([httpMessage()])) },
    'MESSAGE_INVALID',
  ],
])('%s is refused with its code, since there is an address', (_, parts, changes, code) => {
  expect(decode(parts, changes)).toMatchObject({ kind: 'refused', refusal: { code } });
});

test('a megabyte of rights is read like any other list', () => {
  const rights = Array.from(
    { length: 18_000 },
    (_, i) => `urn:vcloud:right:${String(i).padStart(36, '0')}`,
  );
  expect(call({ security: { rights } }).identity.rights.size).toBe(18_000);
});

test.each([
  ['not JSON', {}, { body: Buffer.from('nonsense') }, 'MESSAGE_NOT_JSON'],
  ['a truncated array', {}, { body: Buffer.from('[{"id": "1"') }, 'MESSAGE_NOT_JSON'],
  ['invalid UTF-8', {}, { body: Buffer.from([0x5b, 0xff, 0x5d]) }, 'MESSAGE_NOT_JSON'],
  ['an array of text', {}, { body: Buffer.from('["x"]') }, 'MESSAGE_NOT_JSON'],
  ['null', {}, { body: Buffer.from('null') }, 'MESSAGE_NOT_JSON'],
  ['an empty body', {}, { body: Buffer.alloc(0) }, 'MESSAGE_NOT_JSON'],
  ['too large', {}, { body: Buffer.alloc(1_048_577, 32) }, 'MESSAGE_TOO_LARGE'],
  ['no id', { http: { id: undefined } }, {}, 'MESSAGE_INVALID'],
  ['an id of a wrong type', { http: { id: 5 } }, {}, 'MESSAGE_INVALID'],
  ['no reply_to', {}, { replyTo: null }, 'REPLY_ADDRESS_MISSING'],
  ['no replyToExchange', {}, { headers: {} }, 'REPLY_ADDRESS_MISSING'],
  ['the default exchange', {}, { headers: { replyToExchange: '' } }, 'REPLY_ADDRESS_MISSING'],
  [
    'a replyToExchange of a wrong type',
    {},
    { headers: { replyToExchange: { a: 1 } } },
    'REPLY_ADDRESS_MISSING',
  ],
])('%s can not be answered', (_, parts, changes, code) => {
  expect(decode(parts, changes)).toMatchObject({ kind: 'unanswerable', code });
});

test('an id of 10 KB and a correlation id of multi-byte characters are carried as they are', () => {
  const id = 'x'.repeat(10_240);
  const correlationId = '漢'.repeat(85);
  expect(call({ http: { id } }, { correlationId })).toMatchObject({
    id,
    address: { correlationId },
  });
});

test('the parked copy holds the reason and nothing that can be used', () => {
  const message = delivery({ http: { headers: { Authorization: 'MARK' }, body: 'TUFSSw==' } });
  const copy = redactedCopy(message, 'MESSAGE_INVALID', 'why').toString();
  expect(copy).not.toMatch(/MARK|TUFSSw/);
  expect(JSON.parse(copy)).toMatchObject({
    code: 'MESSAGE_INVALID',
    why: 'why',
    bodyBytes: message.body.byteLength,
  });
});
