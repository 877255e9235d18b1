/**
 * One RabbitMQ node for all live tests that do not hurt theirs; Vitest runs this once, before the first of them.
 * A node takes four seconds to start, a virtual host of it a moment.
 * May import: sdk/localcloud.
 */
import type { TestProject } from 'vitest/node';

import { freePort } from '../../../sdk/localcloud/nodes/ports.ts';
import { openRabbit } from '../../../sdk/localcloud/rabbitmq.ts';

export interface SharedRabbit {
  readonly port: number;
  /** Where its management API answers, on 127.0.0.1. */
  readonly managementPort: number;
  readonly tools: RabbitTools;
}

/** What `rabbitmqctl` needs to reach the node from another process. */
export type RabbitTools = Awaited<ReturnType<typeof openRabbit>>['tools'];

declare module 'vitest' {
  export interface ProvidedContext {
    rabbit: SharedRabbit;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const managementPort = await freePort();
  const node = await openRabbit({
    plugins: ['rabbitmq_management'],
    config: [
      'management.tcp.ip = 127.0.0.1',
      `management.tcp.port = ${managementPort}`,
      // Statistics are for nobody here, and cost as much as a small test.
      'management_agent.disable_metrics_collector = true',
    ],
    onProgress: (line) => process.stdout.write(`${line}\n`),
  });
  project.provide('rabbit', { port: node.port, managementPort, tools: node.tools });
  return async () => node[Symbol.asyncDispose]();
}
