import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { readOrMakeSecret } from '../../../host/kernel/secret-file.ts';
import { createMetrics } from '../../../host/kernel/metrics.ts';
import { operatorApp } from '../../../host/operator/server.ts';

const token = { file: '/state/operator.token', matches: (given: string) => given === 'right' };

function app(ready: boolean) {
  return operatorApp({
    token,
    metrics: createMetrics(),
    health: () => ({
      ready,
      dependencies: { broker: { ok: ready, reason: ready ? null : 'away' } },
    }),
    status: () => ({ secretsOf: 'nobody' }),
  });
}

test('health is for everybody and says what is wrong', async () => {
  expect((await app(true).request('/livez')).status).toBe(200);
  expect((await app(true).request('/readyz')).status).toBe(200);
  const waiting = await app(false).request('/readyz');
  expect(waiting.status).toBe(503);
  expect(await waiting.json()).toMatchObject({ dependencies: { broker: { reason: 'away' } } });
  expect(waiting.headers.get('cache-control')).toBe('no-store');
});

test.each(['/status', '/metrics'])('%s needs the token', async (path) => {
  const ask = (headers: Record<string, string>) => app(true).request(path, { headers });
  expect((await ask({})).status).toBe(401);
  expect((await ask({ Authorization: 'Bearer wrong' })).status).toBe(401);
  expect((await ask({ Authorization: 'Bearer right' })).status).toBe(200);
});

test('what is not there is 404', async () => {
  expect((await app(true).request('/../etc/passwd')).status).toBe(404);
});

test('a secret is made once, for its owner only, and read from then on', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vcx-secret-'));
  const file = join(folder, 'deeper', 'secret');
  expect(readOrMakeSecret(file, () => 'first')).toBe('first');
  expect(readOrMakeSecret(file, () => 'second')).toBe('first');
  expect(readFileSync(file, 'utf8')).toBe('first\n');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  rmSync(folder, { recursive: true });
});
