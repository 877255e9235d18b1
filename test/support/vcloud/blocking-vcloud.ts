/** A vCloud in memory that holds operations: blocking tasks with their actions, their settings, the entity resolver. */
import { randomUUID } from 'node:crypto';

import { decodeXml, encodeXml, type Doc } from '../../../host/message/xml/documents.ts';
import type { VcloudClient } from '../../../host/vcloud/client.ts';
import { ACME_ID, createScriptedVcloud, ORIGIN, type Sent } from './scripted-vcloud.ts';

interface Held {
  readonly operation: string;
  status: string;
  timeoutAt: number;
  /** Of the decision. */
  message: string | null;
}

export interface BlockingVcloud {
  readonly client: VcloudClient;
  readonly sent: readonly Sent[];
  readonly tasks: ReadonlyMap<string, Held>;
  /** Hold one; gives its bare id. */
  hold(operation: string, timeoutMs?: number): string;
  /** Everything is answered with this status from now on; null for no longer. */
  failWith(status: number | null): void;
  /** What it says to tasks that there are not. */
  unknown: 403 | 404;
  /** Whether it publishes events. */
  publishes: boolean;
  /** What the settings hold: names in the form before 33.0, elements from then on. */
  settings: Doc<'BlockingTaskSettings'>;
}

const BASE = '/api/admin/extension';
const AMQP = encodeXml('AmqpSettings', {
  AmqpHost: 'rabbit.example.com',
  AmqpPort: 5671,
  AmqpUsername: 'vcd',
  AmqpExchange: 'systemExchange',
  AmqpVHost: '/',
  AmqpUseSSL: true,
  AmqpPrefix: 'east',
});

export function createBlockingVcloud(version = '37.0'): BlockingVcloud {
  const scripted = createScriptedVcloud();
  const tasks = new Map<string, Held>();
  let failure: number | null = null;
  const vcloud: BlockingVcloud = {
    client: { ...scripted.client, connect: async () => version },
    sent: scripted.sent,
    tasks,
    hold(operation, timeoutMs = 300_000) {
      const id = randomUUID();
      const timeoutAt = Date.now() + timeoutMs;
      tasks.set(id, { operation, status: 'active', timeoutAt, message: null });
      return id;
    },
    failWith: (status) => void (failure = status),
    unknown: 404,
    publishes: true,
    settings: {
      TimeoutAction: 'abort',
      BlockingTaskOperations: {},
      TimeoutInMilliseconds: 3_600_000,
    },
  };

  function answer({ method, path, body }: Sent): { status: number; body: string } | null {
    if (failure !== null) return { status: failure, body: '' };
    if (path.startsWith('/api/entity/')) return entity(path.slice('/api/entity/'.length));
    if (path === `${BASE}/settings/blockingTask`) return settings(method, body);
    if (path === `${BASE}/settings/blockingTask/operations`) return operations(method, body);
    if (path === `${BASE}/settings/notifications`) {
      const EnableNotifications = vcloud.publishes;
      return { status: 200, body: encodeXml('NotificationsSettings', { EnableNotifications }) };
    }
    if (path === `${BASE}/settings/amqp`) return { status: 200, body: AMQP };
    if (path === `${BASE}/blockingTasks`) return list();
    const [, id = '', action] = /\/blockingTask\/([^/]+)(?:\/action\/(\w+))?$/.exec(path) ?? [];
    const task = tasks.get(id);
    if (id === '') return null;
    if (!task) return { status: vcloud.unknown, body: '' };
    if (action === undefined) return { status: 200, body: document(id, task) };
    if (task.status !== 'active') return { status: 400, body: '' };
    return act(id, task, { action, body });
  }

  function act(id: string, task: Held, { action, body }: { action: string; body: string }) {
    if (action === 'updateProgress') {
      const params = decodeXml('BlockingTaskUpdateProgressParams', body);
      const ms = params.TimeoutValueInMilliseconds;
      if (ms !== undefined) task.timeoutAt = Date.now() + ms;
      return { status: 200, body: document(id, task) };
    }
    task.status = action;
    task.message = decodeXml('BlockingTaskOperationParams', body).Message ?? null;
    return { status: 204, body: '' };
  }

  function document(id: string, task: Held): string {
    return encodeXml('BlockingTask', {
      id: `urn:vcloud:blockingTask:${id}`,
      href: `${ORIGIN}${BASE}/blockingTask/${id}`,
      name: task.operation,
      status: task.status,
      createdTime: new Date(0).toISOString(),
      timeoutDate: new Date(task.timeoutAt).toISOString(),
      timeoutAction: 'abort',
      Organization: { href: `${ORIGIN}/api/admin/org/${ACME_ID}` },
      TaskOwner: { href: `${ORIGIN}/api/vApp/vapp-${scripted.vApps.acme}` },
    });
  }

  function list() {
    const Reference = [...tasks].map(([id, { operation }]) => ({
      href: `${ORIGIN}${BASE}/blockingTask/${id}`,
      name: operation,
    }));
    return { status: 200, body: encodeXml('BlockingTaskReferences', { Reference }) };
  }

  function settings(method: string, body: string) {
    if (method === 'PUT') vcloud.settings = decodeXml('BlockingTaskSettings', body);
    return { status: 200, body: encodeXml('BlockingTaskSettings', vcloud.settings) };
  }

  function operations(method: string, body: string) {
    if (method === 'PUT')
      vcloud.settings = {
        ...vcloud.settings,
        BlockingTaskOperations: decodeXml('BlockingTaskOperations', body),
      };
    const now = vcloud.settings.BlockingTaskOperations ?? {};
    return { status: 200, body: encodeXml('BlockingTaskOperations', now) };
  }

  function entity(urn: string) {
    const [, , kind = '', id = ''] = urn.split(':');
    if (kind !== 'vapp') return { status: 403, body: '' };
    const href = `${ORIGIN}/api/vApp/vapp-${id}`;
    const type = 'application/vnd.vmware.vcloud.vApp+xml';
    const Link = [{ rel: 'alternate', href, type }];
    return { status: 200, body: encodeXml('Entity', { id: urn, name: 'web', Link }) };
  }

  scripted.intercept(answer);
  return vcloud;
}
