/** Java's regular expressions on whole texts, case by case; every verdict was checked against a real JVM. */
import { describe, expect, test } from 'vitest';

import { translateJavaRegex } from '../../../sdk/localcloud/cell/java-regex/regex.ts';
import { JAVA_REGEX_CASES, JAVA_REGEX_REFUSALS } from './java-regex.cases.ts';

function matches(pattern: string, text: string): boolean {
  const translation = translateJavaRegex(pattern);
  if (!translation.ok) throw new Error(`${pattern}: ${translation.reason}`);
  return translation.regexp.test(text);
}

describe('a translated pattern gives the verdict of Pattern.matches()', () => {
  test.each(JAVA_REGEX_CASES)('%j on %j is %j', (pattern, text, verdict) => {
    expect(matches(pattern, text)).toBe(verdict);
  });
});

describe('what has no translation is refused with the reason', () => {
  test.each(JAVA_REGEX_REFUSALS)('%j: %s', (pattern, reason) => {
    const translation = translateJavaRegex(pattern);
    expect(translation).toEqual({ ok: false, reason: expect.stringContaining(reason) as string });
  });
});

test('the documented filters of real services match their paths and no others', () => {
  const ticketing = '/api/org/.*/ticketing.*';
  expect(matches(ticketing, '/api/org/a93c9db9-7471-3192-8d09-a8f7eeda85f9/ticketing')).toBe(true);
  expect(matches(ticketing, '/api/org/a93c9db9-7471-3192-8d09-a8f7eeda85f9')).toBe(false);
  const backup =
    '(/api/org/[0-9a-f-]{36}/backups)|(/api/vApp/vapp-[0-9a-f-]{36}/(backups|action/backup))|(/api/backup/[0-9a-f-]{36})';
  expect(matches(backup, '/api/backup/32d5b9ec-5eef-4aa3-9375-b054018b0e30')).toBe(true);
  expect(matches(backup, '/api/backup/32d5b9ec-5eef-4aa3-9375-b054018b0e30/x')).toBe(false);
  expect(matches(backup, '/x/api/backup/32d5b9ec-5eef-4aa3-9375-b054018b0e30')).toBe(false);
});
