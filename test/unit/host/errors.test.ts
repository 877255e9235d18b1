import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { CODES, HostError, codeOf, messageOf, type Code } from '../../../host/kernel/errors.ts';
import { LIMITS } from '../../../host/quotas/limits.ts';
import { withTables } from '../../support/docs.ts';

const page = readFileSync(new URL('../../../host/README.md', import.meta.url), 'utf8');

test('the operations page lists every code and every limit as the code has them', () => {
  expect(page).toBe(withTables(page));
  for (const name of [...Object.keys(CODES), ...Object.keys(LIMITS)])
    expect(page).toContain(`\`${name}\``);
});

test('every code is a usable refusal', () => {
  for (const [code, info] of Object.entries(CODES)) {
    expect(code).toMatch(/^[A-Z][A-Z0-9_]+$/);
    expect(info.status).toBeGreaterThanOrEqual(400);
    expect(info.means.endsWith('.')).toBe(true);
    expect(new HostError(code as Code, 'x').info).toBe(info);
  }
});

test('what is not ours is INTERNAL, and a message is one bounded line', () => {
  expect(codeOf(new TypeError('x'))).toBe('INTERNAL');
  expect(codeOf(new HostError('OVERLOADED', 'x'))).toBe('OVERLOADED');
  expect(messageOf(new Error(`a\nb ${'c'.repeat(900)}`))).toHaveLength(500);
  expect(messageOf('plain')).toBe('plain');
});
