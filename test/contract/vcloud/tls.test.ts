/** Whom the vCloud client believes to be vCloud. */
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openVcloud } from '../../../host/vcloud/client.ts';
import type { VcloudTls } from '../../../host/vcloud/options.ts';
import { openFakeVcloud } from '../../support/vcloud/fake-vcloud.ts';
import { TEST_CERT, TEST_KEY } from '../../support/tls/pair.ts';

/** TLS in front of the scripted server; says how many requests came through. */
async function openTlsFront() {
  const stack = new AsyncDisposableStack();
  const fake = stack.use(await openFakeVcloud());
  let requests = 0;
  const server = createServer({ cert: TEST_CERT, key: TEST_KEY }, (incoming, outgoing) => {
    requests += 1;
    void fetch(`${fake.url}${incoming.url}`, {
      method: incoming.method ?? 'GET',
      headers: { authorization: incoming.headers.authorization ?? '' },
    }).then(async (answer) => {
      outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
      outgoing.end(Buffer.from(await answer.arrayBuffer()));
    });
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    requests: () => requests,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function open(url: string, tls: VcloudTls) {
  const credentials = { kind: 'password', user: 'a', password: 'pass-word-1', org: 'o' } as const;
  return openVcloud({ url, tls, credentials, attempts: 1 });
}

const { fingerprint256 } = new X509Certificate(TEST_CERT);

test('a certificate that no authority signed is not believed, and nothing is sent', async () => {
  await using front = await openTlsFront();
  await using client = open(front.url, {});
  await expect(client.connect()).rejects.toMatchObject({ code: 'VCLOUD_UNAVAILABLE' });
  expect(front.requests()).toBe(0);
});

test('it is with the authority in a file', async () => {
  await using front = await openTlsFront();
  const folder = await mkdtemp(join(tmpdir(), 'vcx-tls-'));
  const caFile = join(folder, 'ca.pem');
  await writeFile(caFile, TEST_CERT);
  await using client = open(front.url, { caFile });
  expect(await client.connect()).toBe('37.0');
  await rm(folder, { recursive: true });
});

test('it is with its fingerprint pinned, in either spelling', async () => {
  await using front = await openTlsFront();
  for (const fingerprint of [fingerprint256, fingerprint256.replaceAll(':', '').toLowerCase()]) {
    await using client = open(front.url, { fingerprint });
    expect(await client.connect()).toBe('37.0');
  }
});

test('another fingerprint is refused before anything is sent, and the message shows the one that was met', async () => {
  await using front = await openTlsFront();
  await using client = open(front.url, { fingerprint: 'AB'.repeat(32) });
  await expect(client.connect()).rejects.toThrow(fingerprint256.replaceAll(':', ''));
  expect(front.requests()).toBe(0);
});
