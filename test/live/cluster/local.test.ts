/** `vcx start --hosts 3`: three hosts, one RabbitMQ and one nats-server by one command, and nothing left of it. */
import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { runProgram } from '../../support/program.ts';
import { waitFor } from '../../support/wait.ts';

test('three hosts start, answer, know of each other, and are gone with the process that started them', async () => {
  await using program = runProgram(['start', '--hosts', '3']);
  const [, token = '', url = ''] = await program.says(
    /x-vcloud-authorization: (\S+)' '(http\S+hello\?name=you)'/,
  );
  await program.says(/Ctrl-C stops/);
  for (let call = 0; call < 6; call += 1) {
    const answer = await fetch(url, { headers: { 'x-vcloud-authorization': token } });
    expect(await answer.json()).toMatchObject({ hello: 'you' });
  }
  const [, operator = '', tokenFile = ''] = await program.says(
    /cluster status --operator (\S+) --token-file (\S+)/,
  );
  const ask = ['cluster', 'status', '--operator', operator, '--token-file', tokenFile];
  const status = async () => {
    await using asked = runProgram(ask);
    return { code: await asked.exited, text: asked.output() };
  };
  // What the command shows, without a process for each look.
  const problems = async () => {
    const token = readFileSync(tokenFile, 'utf8').trim();
    const headers = { Authorization: `Bearer ${token}` };
    const answer = await fetch(`${operator}/api/v1/cluster`, { headers });
    return ((await answer.json()) as { problems: string[] }).problems;
  };
  await waitFor(async () => (await problems()).length === 0);
  const { code, text } = await status();
  expect([code, text]).toEqual([0, expect.stringContaining('all is well')]);
  for (const name of ['host-1', 'host-2', 'host-3'])
    expect(text).toMatch(new RegExp(`${name}.* alive `));

  const [, pid = ''] = await program.says(/host-2 \(pid (\d+)\)/);
  process.kill(Number(pid), 'SIGKILL');
  await waitFor(async () => (await problems()).some((one) => one.startsWith('host-2: dead')));
  expect(await status()).toEqual({
    code: 1,
    text: expect.stringContaining('problem: host-2: dead'),
  });

  program.signal('SIGKILL');
  await program.exited;
  await waitFor(
    () => program.leftovers().length === 0,
    () => program.leftovers().join('\n'),
  );
});
