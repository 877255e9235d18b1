/** The way of a new author: new, dev, a call; and what a save does. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { openDev } from '../../support/plugins/dev-program.ts';
import { runProgram } from '../../support/program.ts';
import { waitFor } from '../../support/wait.ts';

function workshop(): { folder: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'vcx-author-'));
  return {
    folder,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function made(folder: string, name: string): Promise<string> {
  await using program = runProgram(['plugin', 'new', name, '--yes'], { CWD: folder });
  expect(await program.exited, program.output()).toBe(0);
  return join(folder, name);
}

/** As editors do: whole, and into its place in one step. */
function save(file: string, text: string): void {
  writeFileSync(`${file}~`, text);
  renameSync(`${file}~`, file);
}

test('three commands lead from nothing to an answer through the cell', async () => {
  using shop = workshop();
  const began = performance.now();
  await made(shop.folder, 'greeter');
  await using dev = runProgram(['plugin', 'dev', 'greeter'], { CWD: shop.folder });
  const [, line = ''] = await dev.says(/^ +(curl .*\/api\/greeter')$/m);
  await dev.says(/Ctrl-C stops/);
  const answer = spawnSync('sh', ['-c', line], { encoding: 'utf8' });
  const seconds = (performance.now() - began) / 1_000;
  expect(JSON.parse(answer.stdout), answer.stderr).toMatchObject({ hello: 'world' });
  console.log(`from new to the first answer: ${seconds.toFixed(1)} s, 3 commands`);
  await dev.says(
    /GET \/api\/greeter {2}200 {2}acme {2}cpu \d.* ms, wall \d.* ms, memory \d.* MB, host calls 0, cold/,
  );
  await dev.says(/Operator: http:\/\/127\.0\.0\.1:\d+/);
  dev.signal('SIGINT');
  expect(await dev.exited, dev.output()).toBe(0);
  await waitFor(
    () => dev.leftovers().length === 0,
    () => dev.leftovers().join('\n'),
  );
});

test('a save is live within a moment, a broken one is shown with its place and changes nothing', async () => {
  using shop = workshop();
  const folder = await made(shop.folder, 'greeter');
  const main = join(folder, 'main.ts');
  const manifest = join(folder, 'plugin.json');
  const source = readFileSync(main, 'utf8');
  const description = readFileSync(manifest, 'utf8');
  await using dev = await openDev([folder]);
  const hello = async () => (await dev.call('/api/greeter')).text;
  expect(await hello()).toContain('"hello":"world"');

  const began = performance.now();
  save(main, source.replace("'world'", "'moon'"));
  const loaded = await dev.next('loaded');
  console.log(`a save is live after ${(performance.now() - began).toFixed(0)} ms`, loaded['ms']);
  expect(await hello()).toContain('"hello":"moon"');

  save(main, source.replace('const url = new', 'const url == new'));
  expect(await dev.next('broken')).toMatchObject({
    code: 'BUNDLE_INVALID',
    reason: expect.stringMatching(/^main\.ts:6:15: Expected ";"/),
    running: '1.0.0',
  });
  save(main, `${source}\nconst nothing: { x: number } | null = null;\nnothing!.x;\n`);
  expect((await dev.next('broken'))['reason']).toMatch(/null \(reading 'x'\) \(main\.ts:30:10\)/);
  save(manifest, description.replace('"limits"', '"limitz"'));
  expect((await dev.next('broken'))['reason']).toContain('did you mean "limits"?');
  expect(await hello()).toContain('"hello":"moon"');

  save(manifest, description.replaceAll('/api/greeter"', '/api/greeter/now"'));
  save(main, source);
  await dev.next('calls');
  await waitFor(async () => (await dev.call('/api/greeter/now')).status === 200);
  expect((await dev.call('/api/greeter')).status).toBe(404);
  expect(await dev.next('refused')).toMatchObject({
    method: 'GET',
    path: '/api/greeter',
    status: 404,
    code: 'ROUTE_NOT_FOUND',
  });
});

const NOISY = `
import { definePlugin } from '@vcx/sdk';
export default definePlugin({
  async fetch(request, env, ctx) {
    console.warn('asked for', new URL(request.url).pathname);
    if (request.method === 'POST') explode(ctx.caller.org);
    return Response.json({ config: env.config, secret: await env.secrets.get('key') });
  },
});
function explode(org: string): never {
  throw new TypeError('not for ' + org.slice(0, 3));
}
`;

test('calls, log lines and stacks are shown with places of the source; files give config and secrets', async () => {
  using shop = workshop();
  const folder = await made(shop.folder, 'noisy');
  const at = (name: string) => join(shop.folder, name);
  const manifest = JSON.parse(readFileSync(join(folder, 'plugin.json'), 'utf8')) as object;
  const schema = { type: 'object', properties: { greeting: { type: 'string' } } };
  const routes = ['GET', 'POST'].map((method) => ({ method, path: '/api/noisy' }));
  const more = { bindings: ['secrets'], config: { schema }, tenants: 'named', routes };
  writeFileSync(join(folder, 'plugin.json'), JSON.stringify({ ...manifest, ...more }));
  writeFileSync(join(folder, 'main.ts'), NOISY);
  writeFileSync(at('config.json'), '{ "greeting": "hi" }');
  writeFileSync(at('key.txt'), 'hush\n');
  const args = ['--config', at('config.json'), '--secret', `key=${at('key.txt')}`];
  await using dev = await openDev([folder, ...args]);

  const answer = await dev.call('/api/noisy');
  expect(JSON.parse(answer.text)).toEqual({ config: { greeting: 'hi' }, secret: 'hush' });
  const log = await dev.next('log');
  expect(log).toMatchObject({ level: 'warn', text: 'asked for /api/noisy', orgName: 'acme' });
  expect(await dev.next('call')).toMatchObject({
    call: {
      method: 'GET',
      path: '/api/noisy',
      status: 200,
      code: null,
      cpuMs: expect.any(Number),
      wallMs: expect.any(Number),
      memoryKb: expect.any(Number),
      hostCalls: 1,
      cold: true,
    },
  });

  const failed = await dev.call('/api/noisy', { method: 'POST' });
  expect(failed.status).toBe(500);
  expect(failed.text).not.toContain('main.ts');
  const stack = await dev.next('log', ({ level }) => level === 'error');
  expect(String(stack['text']).split('\n')).toEqual([
    'TypeError: not for urn',
    expect.stringMatching(/at explode \(main\.ts:11:9\)/),
    expect.stringMatching(/at .*fetch \(main\.ts:6:36\)/),
  ]);
  expect(await dev.next('call')).toMatchObject({
    call: { method: 'POST', status: 500, code: 'PLUGIN_THREW' },
  });
  expect(dev.program.output()).not.toContain('hush"');
});

test('wrong use is refused before anything is started', async () => {
  using shop = workshop();
  await using nowhere = runProgram(['plugin', 'dev', 'nowhere', '--json'], { CWD: shop.folder });
  expect(await nowhere.exited).toBe(2);
  expect(JSON.parse(nowhere.output())).toMatchObject({ ok: false, code: 'CONFIG_INVALID' });
  expect(nowhere.output().trim().split('\n')).toHaveLength(1);
  const folder = await made(shop.folder, 'greeter');
  for (const args of [
    ['--config', 'missing.json'],
    ['--secret', 'key'],
    ['--port', 'x'],
  ]) {
    await using wrong = runProgram(['plugin', 'dev', folder, ...args], { CWD: shop.folder });
    expect(await wrong.exited, wrong.output()).toBe(2);
  }
});
