/**
 * What is in a virtual host of the shared node, by RabbitMQ's management API: `rabbitmqctl` says the same, but starts
 * a whole Erlang machine for it.
 * May import: test/support.
 */
import { inject } from 'vitest';

import type { Vhost } from './vhost.ts';

type Named = Pick<Vhost, 'name'>;

/** Routing keys with which a queue is bound to an exchange, sorted. */
export async function bindingsOf(vhost: Named, exchange: string, queue: string): Promise<string[]> {
  interface Binding {
    readonly source: string;
    readonly destination: string;
    readonly routing_key: string;
  }
  const all = (await ask(`bindings/${vhost.name}`)) as readonly Binding[];
  return all
    .filter(({ source, destination }) => source === exchange && destination === queue)
    .map(({ routing_key: key }) => key)
    .toSorted();
}

/** Names of all that there are. */
export async function exchangesOf({ name }: Named): Promise<string[]> {
  const all = (await ask(`exchanges/${name}?columns=name`)) as readonly { name: string }[];
  return all.map((exchange) => exchange.name);
}

async function ask(path: string): Promise<unknown> {
  const { managementPort } = inject('rabbit');
  const response = await fetch(`http://127.0.0.1:${managementPort}/api/${path}`, {
    headers: { Authorization: `Basic ${btoa('guest:guest')}` },
  });
  if (!response.ok) throw new Error(`GET ${path}: ${response.status}`);
  return response.json();
}
