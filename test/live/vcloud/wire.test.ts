/** Everything that vcx sends to a cell, taken from the wire, against the vendor's schemas. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createRegistry } from '../../../host/bindings/registry.ts';
import { openVcloudBindings } from '../../../host/bindings/vcloud-bindings.ts';
import { silentLog } from '../../../host/kernel/log.ts';
import { createMetrics } from '../../../host/kernel/metrics.ts';
import { createAuthorizationCheck } from '../../../host/pipeline/authorization/check.ts';
import { openDatabase } from '../../../host/storage/sqlite/database.ts';
import { createSqliteOpenTasks } from '../../../host/storage/sqlite/open-tasks.ts';
import { openVcloud, type VcloudClient } from '../../../host/vcloud/client.ts';
import { applyRegistration } from '../../../host/vcloud/registration/apply.ts';
import { planRegistration } from '../../../host/vcloud/registration/plan.ts';
import { removeRegistration } from '../../../host/vcloud/registration/remove.ts';
import { openCells, type Cells } from '../../../sdk/localcloud/cell/open.ts';
import { openVhost } from '../../support/rabbit/vhost.ts';
import { openRecordingProxy, type RecordingProxy } from '../../support/vcloud/recording-proxy.ts';
import { fullSpec } from '../../support/vcloud/service-specs.ts';
import { hasSchemas, validate } from '../../support/vcloud/xsd.ts';

const stack = new AsyncDisposableStack();
const folder = mkdtempSync(join(tmpdir(), 'vcx-wire-'));
let cells: Cells;
let proxy: RecordingProxy;

beforeAll(async () => {
  stack.defer(() => rmSync(folder, { recursive: true }));
  const rabbit = stack.use(await openVhost());
  cells = stack.use(await openCells({ amqpUrl: rabbit.url, count: 1 }));
  proxy = stack.use(await openRecordingProxy(cells.cells[0]?.url ?? ''));
  const credentials = { kind: 'password', ...cells.provider } as const;
  const client = stack.use(openVcloud({ url: proxy.url, credentials }));
  await exercise(client);
});
afterAll(() => stack.disposeAsync());

/** Everything there is to send: a registration, a change of it, a check, a task, an event, the end. */
async function exercise(client: VcloudClient): Promise<void> {
  const org = cells.orgs[0];
  const user = org?.users[0]?.id ?? '';
  const model = fullSpec(org?.id ?? '');
  const texts = { files: { 'en.properties': 'right.backup.manage=Manage <backups> & more\n' } };
  const spec = { ...model, localization: texts };
  await applyRegistration(client, await planRegistration(client, spec));
  await applyRegistration(client, await planRegistration(client, { ...spec, priority: 60 }));
  const asked = { service: spec.namespace, method: 'GET', path: '/api/backup/1 & 2' };
  const who = { org: `urn:vcloud:org:${org?.id}`, user: `urn:vcloud:user:${user}` };
  const verdict = await createAuthorizationCheck({ client }).check({ ...asked, ...who });
  expect(verdict.kind).toBe('denied');
  await work(client, { ...who, namespace: spec.namespace });
  await removeRegistration(client, spec);
}

async function work(
  client: VcloudClient,
  { org, user, namespace }: { org: string; user: string; namespace: string },
): Promise<void> {
  const database = openDatabase(join(folder, 'vcx.sqlite'));
  stack.defer(() => database.close());
  const openTasks = createSqliteOpenTasks(database);
  const options = { client, openTasks, namespaceOf: () => namespace, log: silentLog };
  const { bindings } = stack.use(openVcloudBindings(options));
  const registry = createRegistry(bindings, { log: silentLog, metrics: createMetrics() });
  const grant = { plugin: 'backup', version: '1.0.0', org, user, callId: '1' };
  const { signal } = new AbortController();
  const call = async (binding: string, method: string, args: unknown) => {
    const wanted = { binding, method, argsJson: JSON.stringify([args]) };
    const text = await registry.serve(['tasks', 'events'], grant, wanted, signal);
    const answer = JSON.parse(text) as { ok: boolean; value: { id: string } };
    expect(answer, text).toMatchObject({ ok: true });
    return answer.value;
  };
  const wish = { operation: 'a <b> & "c"\u0000', details: '\u{1f600}' };
  const done = await call('tasks', 'create', wish);
  await call('tasks', 'update', { id: done.id, progress: 50, details: ']]>' });
  await call('tasks', 'complete', { id: done.id });
  const failed = await call('tasks', 'create', wish);
  await call('tasks', 'fail', { id: failed.id, message: 'no <way>' });
  const properties = { 'a & b': '<c>', d: '\u0001' };
  await call('events', 'emit', { type: 'org/example/backup/create', properties });
}

const isXml = (type: string, body: string) => /[/+]xml\b/.test(type) && body.trim() !== '';

describe('XSD of the wire', () => {
  test('every document that vcx sends is valid', async () => {
    const sent = proxy.passed.filter(({ requestType, request }) => isXml(requestType, request));
    const documents = Object.fromEntries(
      sent.map(({ method, request }, at) => [`${at}-${method}-${rootOf(request)}`, request]),
    );
    const kinds = new Set(sent.map(({ request }) => rootOf(request)));
    expect(kinds).toEqual(new Set(EVERY_KIND));
    // Where the schemas are not at hand, what was sent can only be counted.
    if (!hasSchemas) return;
    const errors = await validate(documents);
    const wrong = Object.entries(errors).filter(([, found]) => found.length > 0);
    expect(wrong, JSON.stringify(wrong.map(([name]) => documents[name]))).toEqual([]);
  });

  test('every request was understood', () => {
    const refused = proxy.passed.filter(({ status }) => status >= 400);
    expect(refused.map(({ method, path, status }) => `${method} ${path} ${status}`)).toEqual([]);
  });
});

const EVERY_KIND = [
  'Service',
  'Right',
  'ApiFilter',
  'ServiceLink',
  'ApiDefinition',
  'FileDescriptor',
  'ResourceClass',
  'ServiceResource',
  'ResourceClassAction',
  'AclRule',
  'BundleUploadParams',
  'AuthorizationCheckParams',
  'Task',
  'Event',
];

function rootOf(xml: string): string {
  return /<(?:\w+:)?([A-Z]\w*)/.exec(xml.replace(/^<\?xml[^>]*\?>/, ''))?.[1] ?? '';
}
