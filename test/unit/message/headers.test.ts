import { expect, test } from 'vitest';

import { replyHeaders } from '../../../host/message/headers.ts';

test('forbidden headers are dropped, repeated ones joined, nosniff added', () => {
  expect(
    replyHeaders([
      ['Content-Type', 'application/json'],
      ['Set-Cookie', 'a=b'],
      ['set-cookie', 'c=d'],
      ['Refresh', '0; url=https://example.com'],
      ['Content-Security-Policy', '*'],
      ['Accept-CH', 'Sec-CH-UA-Model'],
      ['Use-As-Dictionary', 'match="/*"'],
      ['Sec-Session-Registration', '(ES256);path="x"'],
      ['Attribution-Reporting-Register-Source', '{}'],
      ['Document-Policy-Report-Only', 'x'],
      ['Access-Control-Allow-Origin', '*'],
      ['Transfer-Encoding', 'chunked'],
      ['Authorization', 'x'],
      ['X-VMWARE-VCLOUD-ACCESS-TOKEN', 'x'],
      ['Link', '<a>'],
      ['link', '<b>'],
      ['Location', '/api/task/1'],
    ]),
  ).toEqual({
    ok: true,
    dropped: [
      'set-cookie',
      'refresh',
      'accept-ch',
      'use-as-dictionary',
      'sec-session-registration',
      'attribution-reporting-register-source',
      'document-policy-report-only',
      'access-control-allow-origin',
      'authorization',
      'x-vmware-vcloud-access-token',
    ],
    headers: {
      'Content-Type': 'application/json',
      Link: '<a>, <b>',
      Location: '/api/task/1',
      'X-Content-Type-Options': 'nosniff',
      'Content-Security-Policy': "default-src 'none'; sandbox; frame-ancestors 'none'",
    },
  });
});

test.each([
  [['X-A', 'b\r\nSet-Cookie: x']],
  [['X-A', 'b\0']],
  [['X A', 'b']],
  [['', 'b']],
  [['X-A', 'b'.repeat(9_000)]],
  [['Content-Type', 'text/html; charset=utf-8']],
  [['Content-Type', 'image/svg+xml']],
  [['Content-Type', 'application/javascript']],
  [['Content-Type', 'text/javascript1.5']],
  [['Content-Type', 'TEXT/HTML']],
  [['Content-Type', 'x/y,text/html']],
  [['Content-Type', 'text/plain, text/html']],
  [['Content-Type', 'text']],
  [['Content-Type', 'multipart/x-mixed-replace; boundary=x']],
] as [string, string][][])('%j makes the reply invalid', (header) => {
  expect(replyHeaders([header])).toMatchObject({ ok: false });
});

test('names that objects have by nature are headers like any other', () => {
  const result = replyHeaders([
    ['constructor', 'x'],
    ['__proto__', 'y'],
  ]);
  expect(result).toMatchObject({ ok: true });
  expect(({} as Record<string, unknown>)['y']).toBeUndefined();
});
