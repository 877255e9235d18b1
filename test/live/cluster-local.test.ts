/** `vcx start --hosts 3`: three hosts, one RabbitMQ and one nats-server by one command, and nothing left of it. */
import { expect, test } from 'vitest';

import { runProgram } from '../support/program.ts';
import { waitFor } from '../support/wait.ts';

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
  await waitFor(async () => (await status()).code === 0);
  const { text } = await status();
  expect(text).toContain('all is well');
  for (const name of ['host-1', 'host-2', 'host-3'])
    expect(text).toMatch(new RegExp(`${name}.* alive `));

  const [, pid = ''] = await program.says(/host-2 \(pid (\d+)\)/);
  process.kill(Number(pid), 'SIGKILL');
  await waitFor(async () => /problem: host-2: dead/.test((await status()).text));
  expect((await status()).code).toBe(1);

  program.signal('SIGKILL');
  await program.exited;
  await waitFor(
    () => program.leftovers().length === 0,
    () => program.leftovers().join('\n'),
  );
});
