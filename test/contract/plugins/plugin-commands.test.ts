/** `vcx plugin …` as an author types it: what it writes, prints and exits with. */
import { appendFile, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test, vi } from 'vitest';

import { readBundle } from '../../../host/bundles/archive/bundle.ts';
import { keygen } from '../../../host/cli/plugin/keygen.ts';
import { openWorkshop } from '../../support/plugins/plugin-command.ts';

const VCX = fileURLToPath(new URL('../../../host/cli.ts', import.meta.url));
const MODULES = fileURLToPath(new URL('../../../node_modules', import.meta.url));

// Every command is a process, and some run compilers and tests: on a busy machine that takes its time.
vi.setConfig({ testTimeout: 180_000 });

test('from new to a bundle that is verified, without a question asked', async () => {
  await using shop = await openWorkshop();
  const made = await shop.plugin('new', 'demo', '--yes', '--json');
  expect(made).toMatchObject({ code: 0 });
  expect(made.json()).toMatchObject({
    ok: true,
    name: 'demo',
    template: 'ts',
    files: expect.arrayContaining(['README.md', 'main.ts', 'plugin.json', 'test/main.test.ts']),
  });
  // As its package.json says, in a folder from which npm does not find this clone.
  const packed = await shop.run('npm', ['run', 'pack', '--', '-o', '../demo.vcx'], 'demo');
  expect(packed, packed.stderr).toMatchObject({ code: 0 });
  const bundle = readBundle(await readFile(join(shop.folder, 'demo.vcx')));
  expect(JSON.parse(await readFile(join(shop.folder, 'demo.vcx.map'), 'utf8'))).toMatchObject({
    version: 3,
    sources: expect.arrayContaining(['main.ts']),
  });
  const key = await shop.plugin('keygen', '--trust', 'trust.json', '--json');
  expect((await stat(join(shop.folder, 'vcx-key.pem'))).mode & 0o777).toBe(0o600);
  const unsigned = await shop.plugin('verify', 'demo.vcx', '--trust', 'trust.json', '--json');
  expect([unsigned.code, unsigned.json()['code']]).toEqual([1, 'BUNDLE_UNSIGNED']);
  expect((await shop.plugin('sign', 'demo.vcx', '--key', 'vcx-key.pem')).code).toBe(0);
  const verified = await shop.plugin('verify', 'demo.vcx', '--trust', 'trust.json', '--json');
  expect(verified.json()).toMatchObject({
    ok: true,
    digest: bundle.digest,
    keyIds: [key.json()['keyId']],
  });
  const seen = await shop.plugin('inspect', 'demo.vcx', '--json');
  expect(seen.json()).toMatchObject({ digest: bundle.digest, signedBy: [key.json()['keyId']] });
});

test('the tests of a new plug-in pass in a real isolate and report headroom', async () => {
  await using shop = await openWorkshop();
  await shop.plugin('new', 'demo', '--yes');
  const ran = await shop.plugin('test', 'demo', '--json');
  expect(ran.stderr).toContain('4 passed');
  expect(ran.code).toBe(0);
  expect(ran.json()).toMatchObject({ ok: true, total: 4, passed: 4, failed: 0 });
  const quotas = (ran.json()['headroom'] as { quota: string; used: number }[]).filter(
    ({ used }) => used > 0,
  );
  expect(quotas.map(({ quota }) => quota)).toEqual([
    'cpuMs',
    'wallMs',
    'memoryMb',
    'hostCalls',
    'responseBytes',
  ]);
  const failing =
    "import { expect, test, vi } from 'vitest';\ntest('no', () => expect(1).toBe(2));\n";
  await writeFile(join(shop.folder, 'demo/test/failing.test.ts'), failing);
  const failed = await shop.plugin('test', 'demo', 'failing', '--json');
  expect(failed.code).toBe(1);
  expect(failed.json()).toMatchObject({ ok: false, failed: 1 });
});

test('the Hono template passes the same tests once Hono is installed', async () => {
  await using shop = await openWorkshop();
  await shop.plugin('new', 'demo', '--template', 'hono');
  const early = await shop.plugin('pack', 'demo', '--json');
  expect([early.code, early.json()['code']]).toEqual([1, 'BUNDLE_INVALID']);
  expect(early.json()['message']).toContain('hono');
  await mkdir(join(shop.folder, 'demo/node_modules'));
  await symlink(join(MODULES, 'hono'), join(shop.folder, 'demo/node_modules/hono'));
  const ran = await shop.plugin('test', 'demo', '--json');
  expect(ran.json()).toMatchObject({ ok: true, passed: 4 });
});

test('packing twice, and in another place, gives the same bytes', async () => {
  await using shop = await openWorkshop();
  await shop.plugin('new', 'demo', '--yes', '--dir', 'a');
  await shop.plugin('new', 'demo', '--yes', '--dir', 'deep/down/b');
  await mkdir(join(shop.folder, 'a/assets'));
  await mkdir(join(shop.folder, 'deep/down/b/assets'));
  for (const file of ['a/assets/x.txt', 'deep/down/b/assets/x.txt'])
    await writeFile(join(shop.folder, file), 'x');
  await shop.plugin('pack', 'a', '-o', 'a.vcx');
  await shop.plugin('pack', 'deep/down/b', '-o', 'b.vcx');
  const [a, b] = await Promise.all(
    ['a.vcx', 'b.vcx'].map((file) => readFile(join(shop.folder, file))),
  );
  expect(a?.equals(b ?? Buffer.alloc(0))).toBe(true);
});

test('pack refuses Node built-ins by name, links, entries outside, and odd names', async () => {
  await using shop = await openWorkshop();
  const at = (file: string) => join(shop.folder, 'demo', file);
  await shop.plugin('new', 'demo', '--yes');
  const packed = async () => {
    const { code, stdout } = await shop.plugin('pack', 'demo', '--json');
    return `${code} ${stdout}`;
  };
  const source = await readFile(at('main.ts'), 'utf8');
  await writeFile(at('main.ts'), `import { readFile } from 'node:fs';\n${source}`);
  expect(await packed()).toMatch(/^1 [^]*node:fs[^]*Node built-in[^]*main\.ts/);
  await writeFile(at('main.ts'), source);
  await mkdir(at('assets'));
  await symlink('/etc/hostname', at('assets/link'));
  expect(await packed()).toMatch(/^1 [^]*assets\/link: is a link/);
  await rm(at('assets/link'));
  await writeFile(at('assets/caf\u00e9'), '');
  expect(await packed()).toMatch(/^1 [^]*BUNDLE_ARCHIVE/);
  await rm(at('assets/caf\u00e9'));
  await writeFile(at('assets/.hidden'), 'left out');
  expect(await packed()).toMatch(/^0 /);
  const manifest = await readFile(at('plugin.json'), 'utf8');
  await writeFile(
    at('plugin.json'),
    manifest.replace('"name": "demo"', '"main": "../x.ts", "name": "demo"'),
  );
  expect(await packed()).toMatch(/^1 [^]*leaves the folder/);
});

test('a key is never written over, and a contradiction writes nothing', async () => {
  await using shop = await openWorkshop();
  expect((await shop.plugin('keygen', '--trust', 'trust.json')).code).toBe(0);
  const before = await readFile(join(shop.folder, 'vcx-key.pem'), 'utf8');
  expect((await shop.plugin('keygen')).code).toBe(2);
  expect(await readFile(join(shop.folder, 'vcx-key.pem'), 'utf8')).toBe(before);
  const other = ['keygen', '-o', 'other.pem', '--owner', 'other', '--trust', 'trust.json'];
  const claimed = await shop.plugin(...other);
  expect([claimed.code, claimed.stderr]).toEqual([
    2,
    expect.stringContaining('claimed by provider'),
  ]);
  await expect(stat(join(shop.folder, 'other.pem'))).rejects.toThrow('ENOENT');
  expect((await shop.plugin('keygen', '-o', 'second.pem', '--trust', 'trust.json')).code).toBe(0);
  const trust = JSON.parse(await readFile(join(shop.folder, 'trust.json'), 'utf8')) as {
    owners: { keys: unknown[] }[];
  };
  expect(trust.owners.map(({ keys }) => keys.length)).toEqual([2]);
});

test('a trust store that can not be read is not taken for a new one, and no key is written', async () => {
  await using shop = await openWorkshop();
  const [out, trust] = [join(shop.folder, 'key.pem'), join(shop.folder, 'trust')];
  await mkdir(trust);
  const options = { owner: 'provider', kind: 'provider', namespace: ['org.example'] } as const;
  await expect(keygen({ out, trust, days: 1, ...options })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: `${trust}: is a folder`,
  });
  await expect(stat(out)).rejects.toThrow('ENOENT');
});

test('wrong use exits with 2, a refused bundle with 1, and nothing is half written', async () => {
  await using shop = await openWorkshop();
  const codeOf = async (...args: string[]) => (await shop.plugin(...args)).code;
  expect(await codeOf('new')).toBe(2);
  expect(await codeOf('new', 'Not A Name')).toBe(2);
  expect(await codeOf('new', 'demo', '--template', 'rust')).toBe(2);
  expect(await codeOf('new', 'demo', '--dir', '.')).toBe(0);
  expect(await codeOf('new', 'demo', '--dir', '.')).toBe(2);
  expect(await codeOf('pack', 'nowhere')).toBe(2);
  expect(await codeOf('verify', 'nowhere.vcx', '--trust', 'trust.json')).toBe(2);
  expect(await codeOf('keygen', '--days', '0')).toBe(2);
  expect(await codeOf('keygen', '--trust', 'trust.json')).toBe(0);
  expect(await codeOf('pack', '.', '-o', 'demo.vcx')).toBe(0);
  expect(await codeOf('sign', 'demo.vcx', '--key', 'trust.json')).toBe(2);
  await appendFile(join(shop.folder, 'demo.vcx'), 'x');
  expect(await codeOf('sign', 'demo.vcx', '--key', 'vcx-key.pem')).toBe(1);
  expect(await codeOf('verify', 'demo.vcx', '--trust', 'trust.json')).toBe(1);
  expect(await codeOf('inspect', 'demo.vcx')).toBe(1);
  expect(await codeOf('test', 'nowhere')).toBe(2);
  expect(await codeOf('nonsense')).toBe(2);
});

test('a mistyped command or option is told with the nearest one, as JSON where that was asked for', async () => {
  await using shop = await openWorkshop();
  const vcx = (...args: string[]) => shop.run(process.execPath, [VCX, ...args]);
  const told = async (...args: string[]) => {
    const { code, stdout, stderr } = await shop.plugin(...args, '--json');
    expect([code, stderr]).toEqual([2, '']);
    return JSON.parse(stdout) as unknown;
  };
  const [mistyped, ...answers] = await Promise.all([
    vcx('plugn'),
    told('lits'),
    told('pack', 'a', 'b'),
    told('pin', 'demo'),
  ]);
  expect(mistyped).toMatchObject({ code: 2, stderr: expect.stringContaining('mean plugin?') });
  expect(answers).toEqual(
    ["unknown command 'lits' (Did you mean list?)", 'too many arguments', '--org'].map((says) =>
      expect.objectContaining({
        ok: false,
        code: 'CONFIG_INVALID',
        message: expect.stringContaining(says),
      }),
    ),
  );
});
