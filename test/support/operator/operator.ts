/**
 * The operator API of a host in this process.
 * May import: host.
 */
import { readFileSync } from 'node:fs';

import type { Host } from '../../../host/host.ts';

type AnyHost = Pick<Host, 'operatorUrl' | 'tokenFile'>;

export interface OperatorAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** Values of all metrics of a name added up; with text that the labels must hold. */
export async function metricOf(host: AnyHost, name: string, labels = ''): Promise<number> {
  const text = await (await send(host, 'GET', '/metrics')).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => line.includes(labels))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** One request with the operator's token; a body is sent as JSON. */
export async function askOperator(
  host: AnyHost,
  what: string,
  body?: unknown,
): Promise<OperatorAnswer> {
  const [method = 'GET', path = ''] = what.split(' ');
  const response = await send(host, method, path, body);
  const text = await response.text();
  return { status: response.status, body: text === '' ? null : JSON.parse(text) };
}

function send(host: AnyHost, method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(`${host.operatorUrl}${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${readFileSync(host.tokenFile, 'utf8').trim()}`,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}
