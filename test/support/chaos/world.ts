/**
 * A broker of its own, a proxy before it and a host behind that, for the long runs of fuzz and soak.
 * May import: test/support, sdk/localcloud.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type RabbitNode, openRabbit } from '../../../sdk/localcloud/rabbitmq.ts';
import { type ChaosClient, openChaosClient } from './client.ts';
import { type ChaosHost, openChaosHost } from './host.ts';
import { type TcpProxy, openTcpProxy } from '../broker/tcp-proxy.ts';

export interface ChaosWorld extends AsyncDisposable {
  readonly rabbit: RabbitNode;
  readonly proxy: TcpProxy;
  readonly client: ChaosClient;
  readonly host: ChaosHost;
}

export async function openChaosWorld(): Promise<ChaosWorld> {
  await using stack = new AsyncDisposableStack();
  const stateDir = mkdtempSync(join(tmpdir(), 'vcx-world-'));
  stack.defer(() => rmSync(stateDir, { recursive: true, force: true }));
  const rabbit = stack.use(await openRabbit());
  const proxy = stack.use(await openTcpProxy(rabbit.port));
  const client = stack.use(await openChaosClient(rabbit.url));
  const url = `amqp://127.0.0.1:${proxy.port}`;
  const host = stack.use(await openChaosHost({ url, stateDir }));
  await host.ready();
  const opened = stack.move();
  return { rabbit, proxy, client, host, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** Memory of the host's own process in MB. */
export async function rssMb(host: ChaosHost): Promise<number> {
  return (await host.metric('process_resident_memory_bytes')) / 1_048_576;
}
