/** The servers that the host itself depends on are out of reach of plug-ins, whatever the operator lists. */
import { expect, test } from 'vitest';

import { createGuard } from '../../../host/bindings/fetch/guard.ts';
import { MANIFEST_BINDINGS, ownServers } from '../../../host/compose/bindings.ts';
import { configSchema } from '../../../host/config-schema.ts';

const config = configSchema.parse({
  vcloud: { url: 'https://10.0.0.1' },
  amqp: { url: 'amqp://10.0.0.2', urls: ['amqps://10.0.0.3:5999'] },
  cluster: { servers: ['nats://10.0.0.4:4222', 'tls://10.0.0.5', 'nats://127.0.0.1'] },
  operator: { host: '127.0.0.1', port: 8_780 },
});
const guard = createGuard({
  addresses: ['10.0.0.0/8', '127.0.0.0/8'],
  forbidden: () => ownServers(config, config.operator.port),
  resolve: async (address) => [{ address, family: 4 }],
});
const admit = (url: string) => guard.admit(new URL(url), AbortSignal.timeout(5_000));

test('cell, brokers, NATS servers and operator endpoint are refused by a guard that would let their range pass', async () => {
  await expect(admit('https://10.0.0.9')).resolves.toHaveLength(1);
  const hosts = [1, 2, 3, 4, 5].flatMap((last) => [
    `https://10.0.0.${last}`,
    `http://10.0.0.${last}:8222`,
  ]);
  const local = ['http://127.0.0.1:4222', 'http://127.0.0.1:8780', 'http://127.0.0.9:8780'];
  for (const url of [...hosts, ...local])
    await expect(admit(url), url).rejects.toMatchObject({ code: 'FETCH_ADDRESS_DENIED' });
});

test('no manifest can ask for what belongs to the event in hand', () => {
  for (const name of ['blockingTask', 'notification'])
    expect(MANIFEST_BINDINGS).not.toContain(name);
});
