/**
 * `vcx start --smoke`: the example calls through the whole path, each printed with its answer and time.
 * May import: everything.
 */
import { randomBytes } from 'node:crypto';

import type { Host } from '../host.ts';
import type { LocalCloud } from './local-cloud.ts';
import { signIn } from './sign-in.ts';

interface Answer {
  readonly status: number;
  readonly body: string;
}

interface Step {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
}

/** Returns 0 when every answer is the expected one, else 1. */
export async function smoke(cloud: LocalCloud, host: Host, signal: AbortSignal): Promise<number> {
  const cell = cloud.info.cells[0]?.url ?? '';
  const org = cloud.info.orgs[0];
  const user = org?.users.find((candidate) => candidate.rights === 'all');
  if (!org || !user) return 1;
  const token = await signIn(cell, `${user.name}@${org.name}`, user.password);
  const call = caller(cell, token, signal);
  const expectations = createExpectations();
  const nonce = randomBytes(6).toString('hex');
  const backups = `/api/org/${org.id.split(':').at(-1)}/backups`;

  const hello = { method: 'GET', path: `/api/hello?name=${nonce}` };
  const first = await call(hello);
  expectations.check(
    first.status === 200 && first.body.includes([...nonce].toReversed().join('')),
    'the guest computed its answer from a random value of the request',
  );
  const created = await call({
    method: 'POST',
    path: backups,
    body: JSON.stringify({ name: nonce }),
  });
  expectations.check(
    created.status === 201 && created.body.includes(nonce),
    'a backup was created',
  );
  const listed = await call({ method: 'GET', path: backups });
  expectations.check(listed.status === 200 && listed.body.includes(nonce), 'it is in the list');

  const pids = host.runnerPids();
  expectations.check(
    pids.length > 0 && !pids.includes(process.pid),
    `guests ran in other processes (host ${process.pid}, runners ${pids.join(', ')})`,
  );
  await cloud.broker('stop');
  const without = await call(hello);
  expectations.check(without.status >= 500, 'with the broker stopped the same call fails');
  return expectations.report();
}

function caller(cell: string, token: string, signal: AbortSignal) {
  return async ({ method, path, body }: Step): Promise<Answer> => {
    const started = performance.now();
    const response = await fetch(`${cell}${path}`, {
      method,
      headers: { 'x-vcloud-authorization': token, Accept: 'application/*+json;version=36.0' },
      ...(body === undefined ? {} : { body }),
      signal,
    });
    const text = await response.text();
    const ms = performance.now() - started;
    console.log(`${method} ${path}\n  ${response.status} ${text.trim()} (${ms.toFixed(1)} ms)`);
    return { status: response.status, body: text };
  };
}

function createExpectations() {
  let failures = 0;
  return {
    check(holds: boolean, what: string) {
      if (!holds) failures += 1;
      console.log(`  ${holds ? 'ok' : 'FAILED'}: ${what}`);
    },
    report(): number {
      console.log(failures === 0 ? 'smoke run: passed' : `smoke run: ${failures} FAILED`);
      return failures === 0 ? 0 : 1;
    },
  };
}
