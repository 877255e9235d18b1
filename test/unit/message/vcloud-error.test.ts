/** Refusals in the form that the caller accepts. */
import { expect, test } from 'vitest';
import { encodeError } from '../../../host/message/vcloud-error.ts';
import { decodeXml } from '../../../host/message/xml/documents.ts';

const ERROR = { status: 504, code: 'GATEWAY_TIMEOUT', message: "External service 'cse' failed" };

test.each([
  [undefined, 'application/vnd.vmware.vcloud.error+xml'],
  [null, 'application/vnd.vmware.vcloud.error+xml'],
  ['', 'application/vnd.vmware.vcloud.error+xml'],
  ['*/*', 'application/vnd.vmware.vcloud.error+xml'],
  ['image/png', 'application/vnd.vmware.vcloud.error+xml'],
  ['application/*+xml;version=36.3', 'application/vnd.vmware.vcloud.error+xml;version=36.3'],
  ['application/*+json;version=36.3', 'application/vnd.vmware.vcloud.error+json;version=36.3'],
  ['application/*;version=37.0', 'application/vnd.vmware.vcloud.error+xml;version=37.0'],
  ['Application/JSON', 'application/json'],
  ['application/json;version=39.0.0-alpha', 'application/json;version=39.0.0-alpha'],
  ['text/xml', 'text/xml'],
  [
    'application/vnd.vmware.vcloud.task+json;version=37.0',
    'application/vnd.vmware.vcloud.error+json;version=37.0',
  ],
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'application/xml'],
  ['application/*+xml;q=0.1, application/*+json;q=0.9', 'application/vnd.vmware.vcloud.error+json'],
  [
    'application/*+json;version=32.0, application/json;version=32.0',
    'application/vnd.vmware.vcloud.error+json;version=32.0',
  ],
  ['application/json;q=0, application/xml;q=0.1', 'application/xml'],
  ['application/json;version="1\r\nSet-Cookie: a=b"', 'application/json'],
  ['application/json;version=1.0;x\u0000', 'application/json;version=1.0'],
])('Accept %j is answered with %s', (accept, type) => {
  const { contentType, body } = encodeError(ERROR, accept);
  expect(contentType).toBe(type);
  if (type.includes('json')) expect(JSON.parse(body)).toMatchObject({ majorErrorCode: 504 });
  else expect(decodeXml('Error', body)).toMatchObject({ minorErrorCode: 'GATEWAY_TIMEOUT' });
});

test('JSON has exactly the fields that a real cell sends', () => {
  const { body } = encodeError(ERROR, 'application/json');
  expect(JSON.parse(body)).toEqual({
    otherAttributes: {},
    tenantError: null,
    stackTrace: null,
    message: ERROR.message,
    majorErrorCode: 504,
    minorErrorCode: 'GATEWAY_TIMEOUT',
    vendorSpecificErrorCode: null,
  });
});

test('a message with anything in it is still sent', () => {
  const message = 'a<b>&"\'\u0000\ud800\n]]>';
  const { body } = encodeError({ ...ERROR, message }, '*/*');
  expect(decodeXml('Error', body).message).toBe('a<b>&"\'\uFFFD\uFFFD\n]]>');
});

test('a hostile Accept of any length is no trouble', () => {
  const accept = 'application/*+json;version=1.0,'.repeat(100_000);
  expect(encodeError(ERROR, accept).contentType).toContain('json');
});
