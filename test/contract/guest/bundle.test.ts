/**
 * The two scripts that are built: the prelude and a plug-in's bundle.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { buildPrelude, bundlePlugin } from '../../../sdk/guest/build/bundle.ts';
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
    /^"node:fs" is a Node built-in, which a plug-in does not have \(imported by main\.ts\)$/,
  ],
  [
    `import { readFileSync } from 'fs'; export default { fetch: () => readFileSync };`,
    /"fs" is a Node built-in/,
  ],
  [
    `export default { async fetch() { return import('node:child_process') } };`,
    /"node:child_process" is a Node built-in/,
  ],
  [`export const fetch = () => {};`, /^main\.ts has no default export: `export default \{ fetch/],
  [
    `import { env } from 'cloudflare:workers'; export default { fetch: () => env };`,
    /^main\.ts:1:21: "cloudflare:workers" is of another runtime: [^]*npm packages/,
  ],
  [
    `import 'node:fs'; import 'node:net'; import 'jws'; export default { fetch() {} };`,
    /Node built-ins, which are imported for main\.ts \("node:fs", "node:net"\); main\.ts:1:45: "jws" is not there/,
  ],
  [
    `import 'jsonwebtoken-of-no-one'; export default { fetch() {} };`,
    /^main\.ts:1:8: "jsonwebtoken-of-no-one" is not there: `npm install`/,
  ],
  [
    `const x = await 1; export default { fetch: () => x };`,
    /^main\.ts:1:11: top-level await: [^]*in the handler/,
  ],
  [`export default {`, /main\.ts.*(?:Expected|Unexpected)/],
])('%s is refused with the reason', async (code, reason) => {
  await expect(bundleText(code)).rejects.toThrow(reason);
});

/** A package as npm would have installed it beside the plug-in. */
async function withPackage(name: string, files: Record<string, string>, main: string) {
  const folder = await mkdtemp(join(tmpdir(), 'vcx-bundle-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(folder, 'node_modules', name), { recursive: true });
      await writeFile(join(folder, 'node_modules', name, path), text);
    }
    await writeFile(join(folder, 'main.ts'), main);
    return await bundlePlugin(join(folder, 'main.ts'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function answerOf({ source }: { readonly source: string }): Promise<string> {
  await using guest = await openGuest();
  expect(await guest.load(source)).toBe('loaded ["fetch"]');
  const answer = await guest.call();
  return answer.kind === 'reply' ? answer.body : answer.failure.message;
}

test('a package is taken as browsers take it: files replaced, built-ins left out, NODE_ENV known', async () => {
  const script = await withPackage(
    'both',
    {
      'package.json': JSON.stringify({
        name: 'both',
        main: './node.js',
        browser: { './node.js': './web.js', fs: false },
      }),
      'node.js': `module.exports = require('net');`,
      'web.js': `const fs = require('fs');
        module.exports = [typeof fs.readFile, process.env.NODE_ENV, global === globalThis, self === global];`,
    },
    `import both from 'both'; export default { fetch: () => Response.json(both) };`,
  );
  expect(await answerOf(script)).toBe('["undefined","production",true,true]');
});

test('the package that the author imports is blamed for what is below it', async () => {
  const bundled = withPackage(
    'upper',
    {
      'package.json': '{"name":"upper","main":"index.js"}',
      'index.js': `import lower from './lower.js'; export default lower;`,
      'lower.js': `import net from 'net'; import tls from 'tls'; export default [net, tls];`,
    },
    `import upper from 'upper'; export default { fetch: () => upper };`,
  );
  await expect(bundled).rejects.toThrow(
    'a plug-in does not have Node built-ins, which are imported for upper ("net", "tls"); take packages',
  );
});

test('decorators, accessors, enums and texts are what they are elsewhere', async () => {
  const script = await bundleText(`
    enum Color { Red = 1, Green }
    const loud = (method: () => string, { name }: ClassMethodDecoratorContext) =>
      function (this: unknown) { return String(name) + method.call(this) + '!'; };
    class Greeter { accessor word = 'hi'; @loud greet() { return this.word; } }
    export default { fetch: () => Response.json([Color.Green, new Greeter().greet()]) };`);
  expect(await answerOf(script)).toBe('[2,"greethi!"]');
});
