/** What `vcx plugin dev` prints: calls to copy, and lines that come from strangers. */
import { expect, test, vi } from 'vitest';

import type { ManifestRoute } from '../../../host/bundles/manifest/manifest.ts';
import { sampleCalls } from '../../../host/cli/plugin/dev/calls.ts';
import { createHostLog } from '../../../host/cli/plugin/dev/host-log.ts';
import { createScreen } from '../../../host/cli/plugin/dev/screen.ts';

const PERSON = {
  name: 'alice@acme',
  org: { name: 'acme', id: '11111111-1111-4111-8111-111111111111' },
  token: 'token',
  cell: 'http://127.0.0.1:1',
};

const route = (method: ManifestRoute['method'], path: string): ManifestRoute => ({
  method,
  path,
  rights: [],
});

test('calls to copy begin with GET, and parameters are filled with what may fit', () => {
  const routes = [
    route('POST', '/api/x/{org}/y'),
    route('GET', '/api/x/{orgId}'),
    route('*', "/api/it's/*"),
  ];
  const calls = sampleCalls({ routes }, PERSON);
  expect(calls.map(({ method, url }) => `${method} ${url}`)).toEqual([
    `GET ${PERSON.cell}/api/x/${PERSON.org.id}`,
    `GET ${PERSON.cell}/api/it's/sample`,
    `POST ${PERSON.cell}/api/x/${PERSON.org.id}/y`,
  ]);
  expect(calls[0]?.curl).toBe(
    `curl -s -H 'x-vcloud-authorization: token' '${PERSON.cell}/api/x/${PERSON.org.id}'`,
  );
  expect(calls[1]?.curl).toContain("'http://127.0.0.1:1/api/it'\\''s/sample'");
  expect(calls[2]?.curl).toContain("-X POST -H 'x-vcloud-authorization: token'");
});

test('only the first few routes are shown', () => {
  const routes = Array.from({ length: 20 }, (_, i) => route('GET', `/api/x/${i}`));
  expect(sampleCalls({ routes }, PERSON)).toHaveLength(5);
});

const LINE = {
  id: 1,
  at: 0,
  plugin: 'x',
  version: '1.0.0',
  org: 'urn:vcloud:org:1',
  callId: 'c',
  kind: 'log',
  level: 'error',
} as const;

function printed(work: () => void): string[] {
  const spy = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  try {
    work();
    return spy.mock.calls.map(([text]) => String(text));
  } finally {
    spy.mockRestore();
  }
}

test('what a guest writes can neither move the cursor nor pass for a line of ours', () => {
  const text = 'Error: a\u001b[2Jb\r\n    at main.ts:1:1\u202e';
  const screen = createScreen({ json: false, orgName: () => 'acme' });
  const lines = printed(() => screen.line({ ...LINE, text }));
  expect(lines[0]).toMatch(/error acme {2}Error: a\\x1b\[2Jb\\r/);
  expect(lines[1]).toContain('    at main.ts:1:1\\u{202e}');
  const [json = ''] = printed(() =>
    createScreen({ json: true, orgName: () => 'acme' }).line({ ...LINE, text }),
  );
  expect(json).not.toMatch(/[\u001b\u202e\n]/);
  expect(JSON.parse(json)).toMatchObject({ type: 'log', text, orgName: 'acme' });
});

test('of the log of the host only what authors need is shown, each once', () => {
  const seen: string[] = [];
  const log = createHostLog({
    level: 'warn',
    screen: {
      host: (level, event) => seen.push(`${level} ${event}`),
      progress: (text) => seen.push(text),
    },
    onLoaded: ({ plugin, version, ms }) => seen.push(`loaded ${plugin} ${version} ${ms}`),
    onBroken: ({ code, reason }) => seen.push(`broken ${code} ${reason}`),
    onRefused: ({ status, code }) => seen.push(`refused ${status} ${code}`),
  });
  log.info('plugin.loaded', { plugin: 'x', version: '1.0.0', loadMs: 5 });
  log.error('plugin.failed', { plugin: 'x', code: 'BUNDLE_INVALID', reason: 'why' });
  log.debug('call.refused', { code: 'RIGHT_MISSING', method: 'GET', path: '/api/x' });
  log.info('plugin.registered', { plugin: 'x', changes: 0 });
  log.info('plugin.registered', { plugin: 'x', changes: 2 });
  log.error('plugin.log', { text: 'shown from the logbook' });
  log.info('broker.connected');
  log.child({ runner: 1 }).warn('runner.killed', { reason: 'x' });
  expect(seen).toEqual([
    'loaded x 1.0.0 5',
    'broken BUNDLE_INVALID why',
    'refused 403 RIGHT_MISSING',
    'registered in vCloud (2 changes)',
    'warn runner.killed',
  ]);
});
