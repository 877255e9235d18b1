import { expect, test } from 'vitest';

import { canonicalPath } from '../../../host/message/path.ts';

test.each([
  ['/api/hello', '/api/hello'],
  ['/api/vApp/vapp-1.2/action/backup', '/api/vApp/vapp-1.2/action/backup'],
  ['/api/a%20b', '/api/a b'],
  ['/api/caf%C3%A9', '/api/café'],
  ['/api/cafe%CC%81', '/api/café'],
  ['/api/x/', '/api/x/'],
  ['/', '/'],
])('%s is read as %s', (raw, path) => {
  expect(canonicalPath(raw)).toEqual({ ok: true, path });
});

test.each([
  ['api/hello'],
  [`/api/${'x'.repeat(4_096)}`],
  [''],
  ['/api//hello'],
  ['/api/%2Fhello'],
  ['/api/a%2fb'],
  ['/api/%5Chello'],
  ['/api/../admin'],
  ['/api/%2e%2e/admin'],
  ['/api/.%2E/admin'],
  ['/api/./x'],
  ['/api/x;jsessionid=1'],
  ['/api/x%3Bv=1'],
  ['/api/%ff'],
  ['/api/%'],
  ['/api/%252e'],
  ['/api/a%00b'],
  ['/api/a%0d%0ab'],
  ['/api/a%3Fb'],
  ['/api/a\\b'],
  [`/${'a'.repeat(5_000)}%20`],
])('%s is refused as ambiguous', (raw) => {
  expect(canonicalPath(raw)).toMatchObject({ ok: false });
});
