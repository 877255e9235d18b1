import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { freePort } from '../../../sdk/localcloud/nodes/ports.ts';
import { type RabbitNode, openRabbit } from '../../../sdk/localcloud/rabbitmq.ts';
import { openPeer } from '../../support/broker/amqp-peer.ts';
import { eventually, openEcho } from '../../support/broker/echo.ts';

const pem = (name: string) => join(import.meta.dirname, '../../support/tls', name);
const ours = { certFile: pem('client.pem'), keyFile: pem('client.key') };

let rabbit: RabbitNode;
let url: string;
let folder: string;

beforeAll(async () => {
  // The broker may run as another user than the one who owns this repository.
  folder = await mkdtemp(join(tmpdir(), 'vcx-tls-'));
  for (const name of ['ca.pem', 'server.pem', 'server.key'])
    await copyFile(pem(name), join(folder, name));
  const port = await freePort();
  url = `amqps://127.0.0.1:${port}`;
  rabbit = await openRabbit({
    plugins: ['rabbitmq_auth_mechanism_ssl'],
    config: [
      `listeners.ssl.local = 127.0.0.1:${port}`,
      `ssl_options.cacertfile = ${join(folder, 'ca.pem')}`,
      `ssl_options.certfile = ${join(folder, 'server.pem')}`,
      `ssl_options.keyfile = ${join(folder, 'server.key')}`,
      'ssl_options.verify = verify_peer',
      'ssl_options.fail_if_no_peer_cert = true',
      'ssl_cert_login_from = common_name',
      'auth_mechanisms.1 = PLAIN',
      'auth_mechanisms.2 = EXTERNAL',
    ],
  });
});
afterAll(async () => {
  await rabbit[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

test('over TLS with a certificate of our own, calls are answered', async () => {
  await using peer = await openPeer(rabbit.url);
  await using echo = await openEcho({
    urls: [url],
    tls: { caFile: pem('ca.pem'), ...ours },
    services: [{ exchange: 'ext', routingKey: 'tls' }],
  });
  await echo.ready();
  peer.send('ext', 'tls', 'x', { correlationId: 'tls' });
  await eventually(() => expect(peer.got.get('tls')).toEqual(['x']));
});

test('the certificate alone can say who we are', async () => {
  await rabbit.ctl('add_user', 'vcx-test-client', 'unused');
  await rabbit.ctl('set_permissions', 'vcx-test-client', '.*', '.*', '.*');
  await rabbit.ctl('clear_password', 'vcx-test-client');
  await using echo = await openEcho({
    urls: [url],
    tls: { caFile: pem('ca.pem'), ...ours },
    credentials: () => ({ external: true }),
    services: [{ exchange: 'ext', routingKey: 'external' }],
  });
  await echo.ready();
  expect(await rabbit.ctl('list_connections', 'user', 'ssl')).toMatch(/vcx-test-client\ttrue/);
});

test.each([
  ['an authority we do not know', { ...ours }, /CERT/],
  [
    'a name that is not the broker’s',
    { caFile: pem('ca.pem'), ...ours, serverName: 'other' },
    /ALTNAME/,
  ],
  ['no certificate of ours', { caFile: pem('ca.pem') }, /CERTIFICATE|closed|RESET|PIPE/i],
  [
    'a certificate file that is missing',
    { caFile: '/no/such.pem' },
    /amqp\.tls\.caFile.*can not be read/,
  ],
])('%s keeps the connection away, and the status says so', async (_what, tls, reason) => {
  await using echo = await openEcho({
    urls: [url],
    tls,
    services: [{ exchange: 'ext', routingKey: 'refused' }],
  });
  await eventually(() => {
    expect(echo.broker.status().connections.consume).toMatch(/attempt [2-9]/);
    expect(echo.broker.status().connections.consume).toMatch(reason);
  });
  expect(echo.broker.status().consuming).toBe(false);
});
