/** Messages as vCloud publishes them, written from the protocol's facts, for tests. */
import { randomUUID } from 'node:crypto';

import type { Delivery } from '../../../host/message/delivery.ts';

export const SYSTEM_ORG = 'urn:vcloud:org:a93c9db9-7471-3192-8d09-a8f7eeda85f9';
export const ACME = 'urn:vcloud:org:70000000-0000-4000-8000-000000000001';
export const ALICE = 'urn:vcloud:user:80000000-0000-4000-8000-000000000001';

/** The HTTP message with the keys and order that a real cell logged. */
export function httpMessage(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: randomUUID(),
    method: 'GET',
    requestUri: '/api/hello',
    queryString: null,
    protocol: 'HTTP/1.1',
    scheme: 'https',
    remoteAddr: '10.23.6.168',
    remotePort: 60_576,
    localAddr: '10.100.1.40',
    localPort: 443,
    headers: { Accept: 'application/*+json;version=36.0', Host: 'vcloud.example.com' },
    body: '',
    statusCode: 0,
    request: true,
    ...changes,
  };
}

export function securityContext(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return { parameters: null, user: ALICE, org: ACME, rights: [], ...changes };
}

export interface RequestParts {
  readonly http?: Record<string, unknown>;
  readonly security?: Record<string, unknown>;
}

export function requestBody({ http, security }: RequestParts = {}): Buffer {
  return Buffer.from(JSON.stringify([httpMessage(http), securityContext(security), null]));
}

export interface TestDelivery extends Delivery {
  /** How it was settled, in order; a correct corridor leaves exactly one entry. */
  readonly settled: ('ack' | 'requeue')[];
}

export function delivery(parts: RequestParts = {}, changes: Partial<Delivery> = {}): TestDelivery {
  const settled: ('ack' | 'requeue')[] = [];
  return {
    exchange: 'sdkext',
    routingKey: 'hello',
    body: requestBody(parts),
    correlationId: randomUUID(),
    replyTo: 'vcd.replyQueue.cell-1',
    headers: { messageType: 'ProcessHttpRequest', replyToExchange: 'vcd.replyExchange' },
    redelivered: false,
    arrivedAt: performance.now(),
    ack: () => void settled.push('ack'),
    requeue: () => void settled.push('requeue'),
    settled,
    ...changes,
  };
}
