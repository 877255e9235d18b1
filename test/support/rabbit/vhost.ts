/**
 * A virtual host of the shared RabbitMQ node: as good as a broker of its own for tests that do not stop, starve or
 * reconfigure theirs.
 * May import: test/support, sdk/localcloud.
 */
import { randomUUID } from 'node:crypto';

import { inject } from 'vitest';

import { control } from '../../../sdk/localcloud/rabbit/node.ts';
import type { SharedRabbit } from './setup.ts';

export interface Vhost extends AsyncDisposable {
  /** `amqp://guest:guest@127.0.0.1:PORT/NAME` */
  readonly url: string;
  readonly port: number;
  readonly name: string;
  /** The same by way of another port of 127.0.0.1, such as a proxy's. */
  by(port: number): string;
  /** Make a user of its own with these patterns, which say what it may do here; resolves to its url, password included. */
  account(may: Permissions): Promise<string>;
  /** Run `rabbitmqctl`; what it lists, and the permissions it sets, are those of this virtual host. */
  ctl(command: string, ...args: string[]): Promise<string>;
}

/** Regular expressions on names, as RabbitMQ has them. */
export interface Permissions {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

/** Commands of `rabbitmqctl` that are about one virtual host. */
const SCOPED = /^(?:list_(?:queues|exchanges|bindings|consumers)|(?:set|clear)_permissions)$/;
const GUEST = 'guest:guest';

/** Made by this test alone, and deleted with all that is in it when disposed of. */
export async function openVhost(): Promise<Vhost> {
  const shared = inject('rabbit');
  const name = `t-${randomUUID().slice(0, 8)}`;
  await manage(shared, 'PUT', `vhosts/${name}`);
  const all = { configure: '.*', write: '.*', read: '.*' };
  await manage(shared, 'PUT', `permissions/${name}/guest`, all);
  const { port, tools } = shared;
  const by = (at: number): string => `amqp://${GUEST}@127.0.0.1:${at}/${name}`;
  return {
    url: by(port),
    port,
    name,
    by,
    async account(may) {
      const user = `u-${randomUUID()}`;
      const password = randomUUID();
      await manage(shared, 'PUT', `users/${user}`, { password, tags: '' });
      await manage(shared, 'PUT', `permissions/${name}/${user}`, may);
      return `amqp://${user}:${password}@127.0.0.1:${port}/${name}`;
    },
    ctl: (command, ...args) =>
      control(tools, [command, ...(SCOPED.test(command) ? ['-p', name] : []), ...args]),
    [Symbol.asyncDispose]: () => manage(shared, 'DELETE', `vhosts/${name}`),
  };
}

async function manage(
  { managementPort }: SharedRabbit,
  method: string,
  path: string,
  body?: object,
): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${managementPort}/api/${path}`, {
    method,
    headers: {
      Authorization: `Basic ${btoa(GUEST)}`,
      'Content-Type': 'application/json',
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
}
