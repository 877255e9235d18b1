/**
 * Patches of kept packages fail loudly instead of changing behaviour.
 */
import { expect, test } from 'vitest';
import { patch, PATCHES } from '../../../sdk/guest/build/patches.ts';

const STREAMS = 'web-streams-polyfill/dist/ponyfill.mjs';

test('a patched text that is gone fails the build with its name', () => {
  expect(() => patch('undici/lib/web/fetch/body.js', 'function other () {}')).toThrow(
    /body\.js: patched text occurs 0 times/,
  );
});

test('a patched text that occurs twice fails the build', () => {
  const [first] = PATCHES[STREAMS] ?? [];
  const source = `${first?.find}${first?.find}._disturbed=!0 ._state=`;
  expect(() => patch(STREAMS, source)).toThrow(/occurs 2 times/);
});

test('a private name that is gone fails the build', () => {
  expect(() => patch(STREAMS, '._state=')).toThrow(/\._disturbed=!0 is gone/);
});

test('other files pass unchanged', () => {
  expect(patch('undici/lib/web/infra/index.js', 'x')).toBe('x');
});
