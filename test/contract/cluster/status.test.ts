/** `vcx cluster status` as somebody types it, against an operator endpoint. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import type { ClusterSource } from '../../../host/operator/api/cluster.ts';
import { OPERATOR_TOKEN } from '../../support/operator/kit.ts';
import { runProgram } from '../../support/program.ts';
import { openRemote } from '../../support/operator/remote-kit.ts';

const plugins = [{ name: 'own', version: '1.2.3', state: 'live', reason: null }];

function clusterOf(dead: boolean): ClusterSource {
  const about = { name: 'alpha', pid: 7, startedAt: '2026-01-01T00:00:00Z', plugins };
  const self = { id: '1', about, silentMs: 200, alive: true, self: true };
  const name = 'beta\u001b[2J';
  const other = {
    id: '2',
    about: { ...about, name },
    silentMs: 9_000,
    alive: !dead,
    self: false,
  };
  return {
    status: () => ({
      reason: null,
      server: '127.0.0.1:4222',
      serverVersion: '2.9.10',
      reconnects: 2,
      full: [],
      id: '1',
      leases: [{ name: 'registrar', holder: '1', held: true, token: 12 }],
    }),
    members: async () => [self, other],
  };
}

async function open(cluster: ClusterSource | null) {
  const remote = await openRemote();
  await remote.restart({ cluster });
  const file = join(remote.folder, 'token');
  writeFileSync(file, OPERATOR_TOKEN);
  return {
    async status(...more: string[]) {
      const place = ['--operator', remote.url(), '--token-file', file];
      await using program = runProgram(['cluster', 'status', ...place, ...more]);
      return { code: await program.exited, output: program.output() };
    },
    [Symbol.asyncDispose]: () => remote[Symbol.asyncDispose](),
  };
}

test('when all is well the tables say what runs where, and the exit code is 0', async () => {
  await using host = await open(clusterOf(false));
  const { code, output } = await host.status();
  expect(code).toBe(0);
  expect(output).toContain('NATS: 127.0.0.1:4222 2.9.10, 2 reconnects\n');
  expect(output).toMatch(/alpha \(asked\) +alive +0\.2 s ago +7 +2026-01-01T00:00:00Z\n/);
  expect(output).toMatch(/registrar +alpha +12\n/);
  expect(output).toMatch(/PLUG-IN +WANTED +alpha +beta/);
  expect(output).toMatch(/own +- +1\.2\.3 +1\.2\.3\n/);
  expect(output).toContain('all is well');
  // A name of another host does nothing to the terminal.
  expect(output).not.toContain('\u001b');
});

test('a dead host is named, and the exit code is 1; so it is for a host that works alone', async () => {
  await using host = await open(clusterOf(true));
  const { code, output } = await host.status();
  expect([code, output]).toEqual([
    1,
    expect.stringMatching(/problem: beta.*: dead: silent for 9 s/),
  ]);
  const json = await host.status('--json');
  expect([json.code, JSON.parse(json.output)]).toMatchObject([
    1,
    { ok: false, configured: true, problems: [expect.stringContaining('dead')] },
  ]);
  await using alone = await open(null);
  const said = await alone.status('--json');
  expect([said.code, JSON.parse(said.output)]).toEqual([1, { ok: false, configured: false }]);
});
