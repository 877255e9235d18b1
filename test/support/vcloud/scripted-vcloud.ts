/**
 * A vCloud of two orgs in memory, behind the client's interface, for tests of bindings without a socket.
 * Like the worst of cells it passes over the tenant context: a system administrator reads everything.
 */
import { randomUUID } from 'node:crypto';

import { decodeXml, encodeXml, type Doc } from '../../../host/message/xml/documents.ts';
import type { RequestOptions, VcloudMethod } from '../../../host/vcloud/client/calls.ts';
import type { VcloudClient } from '../../../host/vcloud/client.ts';
import { VcloudError } from '../../../host/vcloud/errors.ts';

export const ORIGIN = 'https://vcd.example.com';
export const ACME_ID = '70000000-0000-4000-8000-000000000001';
export const GLOBEX_ID = '70000000-0000-4000-8000-000000000002';
export const SECRET = 'only globex may read this';

export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface ScriptedVcloud {
  readonly client: VcloudClient;
  readonly sent: readonly Sent[];
  readonly tasks: Map<string, Doc<'Task'>>;
  readonly events: string[];
  /** Ids of a vApp of each org. */
  readonly vApps: { readonly acme: string; readonly globex: string };
  /** Answer this before anything else; null leaves it to the script. */
  intercept(next: (sent: Sent) => { status: number; body: string } | null): void;
}

const NS = 'xmlns="http://www.vmware.com/vcloud/v1.5"';

export function createScriptedVcloud(): ScriptedVcloud {
  const sent: Sent[] = [];
  const tasks = new Map<string, Doc<'Task'>>();
  const events: string[] = [];
  const vApps = { acme: randomUUID(), globex: randomUUID() };
  let intercepted: Parameters<ScriptedVcloud['intercept']>[0] = () => null;

  function answer(request: Sent): { status: number; body: string } {
    const special = intercepted(request);
    if (special) return special;
    const path = request.path.replace(ORIGIN, '').split('?')[0] ?? '';
    const [, kind = '', id = ''] = /^\/api\/([A-Za-z/]+)\/([^/]+)/.exec(path) ?? [];
    if (kind === 'vApp') return vApp(id.replace('vapp-', ''));
    if (kind === 'task') return task(request, id);
    if (kind === 'tasksList') return tasksList(request, id);
    if (kind === 'admin/org' && request.path.endsWith('/events')) {
      events.push(request.body);
      return { status: 204, body: '' };
    }
    if (kind === 'org' || kind === 'admin/org') return org(id);
    if (path === '/api/query') return query();
    return { status: 404, body: '' };
  }

  function vApp(id: string) {
    const owner = id === vApps.acme ? ACME_ID : id === vApps.globex ? GLOBEX_ID : null;
    if (!owner) return { status: 404, body: '' };
    const text = owner === GLOBEX_ID ? SECRET : 'ours';
    const link = `<Link rel="up" href="${ORIGIN}/api/org/${owner}" type="application/vnd.vmware.vcloud.org+xml"/>`;
    return { status: 200, body: `<VApp ${NS}>${link}<Description>${text}</Description></VApp>` };
  }

  function org(id: string) {
    const tasksPath = `${ORIGIN}/api/tasksList/${id}`;
    const links = `<Link rel="task:create" href="${tasksPath}"/><Link rel="event:create" href="${ORIGIN}/api/admin/org/${id}/events"/>`;
    return { status: 200, body: `<AdminOrg ${NS} name="o">${links}</AdminOrg>` };
  }

  function task(request: Sent, id: string) {
    const held = tasks.get(id);
    if (!held) return { status: 404, body: '' };
    if (request.method === 'PUT') {
      if (held.status !== 'running') return { status: 400, body: '' };
      tasks.set(id, { ...decodeXml('Task', request.body), cancelRequested: held.cancelRequested });
    }
    return { status: 200, body: encodeXml('Task', tasks.get(id) ?? held) };
  }

  function tasksList(request: Sent, org: string) {
    const own = (item: Doc<'Task'>) => item.Organization?.href?.endsWith(org) ?? false;
    if (request.method === 'GET') {
      const Task = [...tasks.values()].filter(own);
      return { status: 200, body: encodeXml('TasksList', { Task }) };
    }
    const id = randomUUID();
    const made: Doc<'Task'> = {
      ...decodeXml('Task', request.body),
      id: `urn:vcloud:task:${id}`,
      href: `${ORIGIN}/api/task/${id}`,
      startTime: new Date(0).toISOString(),
      Organization: { href: `${ORIGIN}/api/org/${org}` },
    };
    tasks.set(id, made);
    return { status: 200, body: encodeXml('Task', made) };
  }

  /** Records of both orgs, whatever the filter says. */
  function query() {
    const record = (name: string, org: string) =>
      `<AdminVAppRecord name="${name}" org="${ORIGIN}/api/org/${org}" href="x"/>`;
    const records = `${record('web', ACME_ID)}${record(SECRET, GLOBEX_ID)}`;
    return {
      status: 200,
      body: `<QueryResultRecords ${NS} total="2">${records}</QueryResultRecords>`,
    };
  }

  async function request(method: VcloudMethod, path: string, options: RequestOptions = {}) {
    const body = String(options.body ?? '');
    const call = { method, path, headers: options.headers ?? {}, body };
    sent.push(call);
    const given = answer(call);
    if (given.status >= 300 && !options.raw)
      throw new VcloudError({
        code: given.status >= 500 ? 'VCLOUD_UNAVAILABLE' : 'VCLOUD_REFUSED',
        message: `${method} ${path}: ${given.status}`,
        status: given.status,
      });
    const contentType = 'application/*+xml';
    return {
      status: given.status,
      headers: { 'content-type': contentType, 'set-cookie': 'vcloud-token=x' },
      contentType,
      body: Buffer.from(given.body),
    };
  }

  const client: VcloudClient = {
    origin: ORIGIN,
    request,
    getXml: async (name, path, options) =>
      decodeXml(name, (await request('GET', path, options)).body),
    sendXml: (method, path, { name, value }, options) =>
      request(method, path, { ...options, body: encodeXml(name, value) }),
    connect: async () => '37.0',
    status: () => ({ state: 'ready', apiVersion: '37.0', lastError: null }),
    [Symbol.asyncDispose]: async () => undefined,
  };
  return {
    client,
    sent,
    tasks,
    events,
    vApps,
    intercept: (next) => void (intercepted = next),
  };
}
