/** The SDK as npm would publish it: packed, installed elsewhere, imported and type-checked there. */
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import { openWorkshop, type Workshop } from '../../support/plugins/plugin-command.ts';

const SDK = fileURLToPath(new URL('../../../sdk', import.meta.url));
const MODULES = fileURLToPath(new URL('../../../node_modules', import.meta.url));

// Every command is a process, and some run compilers and tests: on a busy machine that takes its time.
vi.setConfig({ testTimeout: 180_000 });

/** The tarball that npm would publish. */
let tarball: string;
let bench: Workshop;
beforeAll(async () => {
  bench = await openWorkshop();
  tarball = await packSdk(bench);
});
afterAll(() => bench[Symbol.asyncDispose]());

async function packSdk(shop: Workshop): Promise<string> {
  const packed = await shop.run('npm', [
    'pack',
    SDK,
    '--pack-destination',
    shop.folder,
    '--silent',
  ]);
  expect(packed, packed.stderr).toMatchObject({ code: 0 });
  const file = (await readdir(shop.folder)).find((name) => name.endsWith('.tgz')) ?? '';
  return join(shop.folder, file);
}

/** Install the packed SDK into the folder, without a network. */
async function installSdk(shop: Workshop, below: string): Promise<string> {
  const target = join(shop.folder, below, 'node_modules/@vcx/sdk');
  await mkdir(target, { recursive: true });
  const args = ['-xzf', tarball, '-C', target, '--strip-components=1'];
  expect(await shop.run('tar', args)).toMatchObject({ code: 0 });
  return target;
}

test('the package holds what its exports name, built, and no sources', async () => {
  await using shop = await openWorkshop();
  const target = await installSdk(shop, '.');
  const files = (await readdir(target, { recursive: true })).sort();
  expect(files.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))).toEqual([]);
  expect(files.filter((file) => /test\.|\.tmpl$|localcloud|prelude/.test(file))).toEqual([]);
  const { exports } = JSON.parse(await readFile(join(target, 'package.json'), 'utf8')) as {
    exports: Record<string, string | Record<string, string>>;
  };
  const named = Object.values(exports)
    .flatMap((entry) => (typeof entry === 'string' ? [entry] : Object.values(entry)))
    .map((path) => path.slice(2));
  expect(named.filter((path) => !files.includes(path))).toEqual([]);
});

test('publint and attw find nothing wrong with the package and its types', async () => {
  const shop = bench;
  const bin = (name: string) => join(MODULES, '.bin', name);
  const linted = await shop.run(bin('publint'), ['run', tarball, '--strict']);
  expect(linted, linted.stdout).toMatchObject({ code: 0 });
  expect(linted.stdout).toContain('All good!');
  // It is a package of ES modules alone: what older ways of resolution would see is nobody's concern.
  const args = [tarball, '--profile', 'esm-only', '--format', 'json'];
  const resolved = await shop.run(bin('attw'), args);
  expect(resolved, resolved.stdout).toMatchObject({ code: 0 });
});

test('every export can be imported from the installed package, and nothing else', async () => {
  await using shop = await openWorkshop();
  await installSdk(shop, '.');
  const script = `
    import * as sdk from '@vcx/sdk';
    import * as testing from '@vcx/sdk/testing';
    import schema from '@vcx/sdk/plugin.schema.json' with { type: 'json' };
    const plugin = { fetch: () => new Response('x') };
    const inner = await import('@vcx/sdk/dist/src/index.js').catch((error) => error.code);
    console.log(JSON.stringify({
      sdk: Object.keys(sdk), testing: Object.keys(testing), title: schema.title,
      same: sdk.definePlugin(plugin) === plugin, inner,
    }));`;
  await writeFile(join(shop.folder, 'main.mjs'), script);
  const ran = await shop.run(process.execPath, ['main.mjs']);
  expect(ran, ran.stderr).toMatchObject({ code: 0, stderr: '' });
  expect(ran.json()).toEqual({
    sdk: ['definePlugin', 'isBindingError'],
    testing: ['openPlugin'],
    title: 'Manifest of a vcx plug-in',
    same: true,
    inner: 'ERR_PACKAGE_PATH_NOT_EXPORTED',
  });
});

test.each(['ts', 'hono'])(
  'a new %s plug-in is type-correct against the package',
  async (template) => {
    await using shop = await openWorkshop();
    await shop.plugin('new', 'demo', '--template', template);
    await installSdk(shop, 'demo');
    const modules = join(shop.folder, 'demo/node_modules');
    await mkdir(join(modules, '@types'));
    for (const name of ['hono', 'vitest', '@types/node'])
      await symlink(join(MODULES, name), join(modules, name));
    const tsc = join(MODULES, '.bin/tsc');
    for (const project of ['.', 'test']) {
      const checked = await shop.run(tsc, ['-p', project], 'demo');
      expect([checked.code, checked.stdout]).toEqual([0, '']);
    }
    // Reaching for Node in plug-in code is an error in the editor already.
    await writeFile(join(shop.folder, 'demo/bad.ts'), 'export const where = process.cwd();\n');
    expect((await shop.run(tsc, ['-p', '.'], 'demo')).stdout).toContain("'process'");
    // Authors with Node's own resolution see the same types.
    const nodenext = ['--module', 'nodenext', '--moduleResolution', 'nodenext', '-p', 'test'];
    const checked = await shop.run(tsc, nodenext, 'demo');
    expect([checked.code, checked.stdout]).toEqual([0, '']);
  },
);
