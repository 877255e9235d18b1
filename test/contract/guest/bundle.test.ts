/**
 * The two scripts that are built: the prelude and a plug-in's bundle.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { buildPrelude } from '../../../sdk/guest/build/bundle.ts';
import { bundleText, openGuest } from '../../support/guest/isolate.ts';

const execute = promisify(execFile);

test('the prelude is the same each time, ends without a value and is not too large', async () => {
  const [first, second] = [await buildPrelude(), await buildPrelude()];
  expect(first).toEqual(second);
  expect(first.source.endsWith(';0')).toBe(true);
  expect(first.digest).toMatch(/^[0-9a-f]{64}$/);
  expect(first.source.length).toBeLessThan(320_000);
  expect(first.source).not.toMatch(/node_modules|\/\/# source/);
});

test('a code cache made by node:vm after a run is accepted by an isolate', async () => {
  const script = fileURLToPath(new URL('../../support/guest/cache.ts', import.meta.url));
  const { stdout } = await execute(process.execPath, ['--no-node-snapshot', script]);
  expect(JSON.parse(stdout)).toMatchObject({ cachedDataRejected: false });
});

test('a plug-in is bundled with its imports into one script with a source map', async () => {
  const { source, sourceMap, warnings } = await bundleText(`
    import { definePlugin } from '#sdk';
    import { isBindingError } from '@vcx/sdk';
    interface Answer { readonly ok: boolean }
    export default definePlugin({ fetch: (): Response => Response.json({ ok: isBindingError(1) } satisfies Answer) });`);
  expect(source.endsWith(';0')).toBe(true);
  expect(JSON.parse(sourceMap)).toMatchObject({ version: 3 });
  expect(warnings).toEqual([]);
  await using guest = await openGuest();
  expect(await guest.load(source)).toBe('loaded ["fetch"]');
  const answer = await guest.call();
  expect(answer.kind === 'reply' && answer.body).toBe('{"ok":false}');
});

test.each([
  [
    `import fs from 'node:fs'; export default { fetch: () => fs };`,
    /"node:fs" is a Node built-in.*imported by main\.ts/,
  ],
  [
    `import { readFileSync } from 'fs'; export default { fetch: () => readFileSync };`,
    /"fs" is a Node built-in/,
  ],
  [
    `export default { async fetch() { return import('node:child_process') } };`,
    /"node:child_process" is a Node built-in/,
  ],
  [`export const fetch = () => {};`, /No matching export in "main\.ts" for import "default"/],
  [`export default {`, /main\.ts.*(?:Expected|Unexpected)/],
])('%s is refused with the reason', async (code, reason) => {
  await expect(bundleText(code)).rejects.toThrow(reason);
});
