import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { freePort } from '../../../sdk/localcloud/nodes/ports.ts';
import { BROKEN, EXAMPLES } from '../../support/live.ts';
import { runProgram } from '../../support/program.ts';
import { openVhost } from '../../support/rabbit/vhost.ts';
import { openTcpProxy } from '../../support/broker/tcp-proxy.ts';
import { waitFor } from '../../support/wait.ts';

test('the smoke run prints three calls, proves the path, exits 0 and leaves no process', async () => {
  await using program = runProgram(['start', '--smoke']);
  expect(await program.exited, program.output()).toBe(0);
  const output = program.output();
  expect(output).toMatch(/GET \/api\/hello\?name=\w+\n {2}200 .*\(\d+\.\d ms\)/);
  expect(output).toMatch(/POST \/api\/org\/[\w-]+\/backups\n {2}201 /);
  expect(output).toContain('ok: with the broker stopped the same call fails');
  expect(output).not.toContain('FAILED');
  await waitFor(
    () => program.leftovers().length === 0,
    () => program.leftovers().join('\n'),
  );
});

test('start prints a line to copy that is answered, beside plug-ins that are broken, and Ctrl-C ends all it started', async () => {
  await using program = runProgram(['start'], {
    VCX_PLUGINS_FOLDERS: JSON.stringify([EXAMPLES, BROKEN]),
  });
  const [, token = '', url = ''] = await program.says(
    /x-vcloud-authorization: (\S+)' '(http\S+hello\?name=you)'/,
  );
  const answer = await fetch(url, { headers: { 'x-vcloud-authorization': token } });
  expect(await answer.json()).toMatchObject({ hello: 'you', backwards: 'uoy' });
  expect(program.output()).toMatch(/plugin\.failed/);
  expect(program.leftovers().join('\n')).toMatch(/epmd/);
  program.signal('SIGINT');
  expect(await program.exited, program.output()).toBe(0);
  await waitFor(
    () => program.leftovers().length === 0,
    () => program.leftovers().join('\n'),
  );
});

test('killed outright, it takes its broker, cell and runners with it', async () => {
  await using program = runProgram(['start']);
  await program.says(/Ctrl-C stops/);
  program.signal('SIGKILL');
  await program.exited;
  await waitFor(
    () => program.leftovers().length === 0,
    () => program.leftovers().join('\n'),
  );
});

test('without a broker the host says what it waits for, goes on trying, and serves when one comes', async () => {
  await using rabbit = await openVhost();
  await using proxy = await openTcpProxy(rabbit.port);
  const url = new URL(await rabbit.account({ configure: '.*', write: '.*', read: '.*' }));
  const { password } = url;
  url.port = String(proxy.port);
  const away = await proxy.refuse();
  const operatorPort = await freePort();
  const state = mkdtempSync(join(tmpdir(), 'vcx-state-'));
  await using program = runProgram(['start'], {
    VCX_AMQP_URL: url.href,
    VCX_OPERATOR_PORT: String(operatorPort),
    VCX_STATE_DIR: state,
  });
  const readyz = `http://127.0.0.1:${operatorPort}/readyz`;
  await program.says(/host\.started/);
  const waiting = await fetch(readyz);
  expect(waiting.status).toBe(503);
  const { dependencies } = (await waiting.json()) as {
    dependencies: { broker: { reason: string } };
  };
  expect(dependencies.broker.reason).toContain(`127.0.0.1:${proxy.port}`);
  expect(program.output() + JSON.stringify(dependencies)).not.toContain(password);

  await away[Symbol.asyncDispose]();
  await waitFor(async () => (await fetch(readyz)).status === 200);
  program.signal('SIGTERM');
  expect(await program.exited, program.output()).toBe(0);
  rmSync(state, { recursive: true });
});

test('check says which plug-in is broken and why; the others load, and the exit code tells', async () => {
  await using good = runProgram(['check', '--json'], {
    VCX_PLUGINS_FOLDERS: JSON.stringify([EXAMPLES]),
  });
  expect(await good.exited, good.output()).toBe(0);
  expect(JSON.parse(good.output())).toMatchObject({
    ok: true,
    plugins: [
      { name: 'approval' },
      { name: 'audit-trail' },
      { name: 'backup' },
      { name: 'hello' },
      { name: 'notes' },
    ],
  });

  await using broken = runProgram(['check'], {
    VCX_PLUGINS_FOLDERS: JSON.stringify([BROKEN, EXAMPLES]),
  });
  expect(await broken.exited).toBe(1);
  expect(broken.output()).toMatch(/plug-in throws-at-load: FAILED: .*broken on purpose/);
  expect(broken.output()).toMatch(/plug-in nonsense: FAILED: plugin\.json is not JSON/);
  expect(broken.output()).toMatch(/plug-in no-main: FAILED/);
  expect(broken.output()).toMatch(/plug-in hello 1\.0\.0: loads/);
});

test('a wrong setting is refused at once, naming key and expectation, with exit code 2', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vcx-config-'));
  writeFileSync(join(folder, 'vcx.yaml'), 'admission: { slots: many }\n');
  await using program = runProgram(['check'], { VCX_CONFIG: join(folder, 'vcx.yaml') });
  expect(await program.exited).toBe(2);
  expect(program.output()).toMatch(/CONFIG_INVALID: admission\.slots: .*number/);
  rmSync(folder, { recursive: true });
});
