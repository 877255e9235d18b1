/** Registration against simulated cells: everything that can be registered, interrupted everywhere, changed by hand. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openRegistrar } from '../../../host/bundles/registration/registrar.ts';
import { serviceSpec } from '../../../host/bundles/registration/service-spec.ts';
import { silentLog } from '../../../host/kernel/log.ts';
import type { VcloudClient } from '../../../host/vcloud/client.ts';
import { openVcloud } from '../../../host/vcloud/client.ts';
import { readReplyExchange } from '../../../host/vcloud/amqp-settings.ts';
import { findLink } from '../../../host/vcloud/links.ts';
import { applyRegistration } from '../../../host/vcloud/registration/apply.ts';
import { changeToJson, describeChange } from '../../../host/vcloud/registration/change.ts';
import type { ObservedChild } from '../../../host/vcloud/registration/observe.ts';
import { observeService } from '../../../host/vcloud/registration/observe.ts';
import { planRegistration } from '../../../host/vcloud/registration/plan.ts';
import { removeRegistration } from '../../../host/vcloud/registration/remove.ts';
import { resolveRights } from '../../../host/vcloud/registration/rights.ts';
import type { ServiceSpec } from '../../../host/vcloud/service-spec.ts';
import type { Cells } from '../../../sdk/localcloud/cell/open.ts';
import { openCells } from '../../../sdk/localcloud/cell/open.ts';
import { livePlugin } from '../../support/plugins/live-plugins.ts';
import { openVhost } from '../../support/rabbit/vhost.ts';
import { backupSpec, fullSpec } from '../../support/vcloud/service-specs.ts';
import { waitFor } from '../../support/wait.ts';

const stack = new AsyncDisposableStack();
let cells: Cells;
let client: VcloudClient;

beforeAll(async () => {
  const rabbit = stack.use(await openVhost());
  cells = stack.use(await openCells({ amqpUrl: rabbit.url, count: 1 }));
  const credentials = { kind: 'password', ...cells.provider } as const;
  client = stack.use(openVcloud({ url: cells.cells[0]?.url ?? '', credentials }));
});
afterAll(() => stack.disposeAsync());

const org = () => cells.orgs[0]?.id ?? '';

/** Namespaces are unique, so every test has its own. */
let serial = 0;
const unique = (spec: ServiceSpec): ServiceSpec => {
  const namespace = `${spec.namespace}.n${++serial}`;
  return { ...spec, namespace, name: `${spec.name}-${serial}` };
};

async function register(spec: ServiceSpec, by: VcloudClient = client) {
  return applyRegistration(by, await planRegistration(by, spec));
}

const changesOf = async (spec: ServiceSpec) =>
  (await planRegistration(client, spec)).changes.map(describeChange);

/** What is registered, without ids; equal for states that are the same. */
async function stateOf({ namespace }: ServiceSpec): Promise<unknown> {
  const found = await observeService(client, namespace);
  const tree = (children: readonly ObservedChild[]): unknown[] =>
    children
      .map(({ kind, label, children: inner }) => ({ kind, label, inner: tree(inner) }))
      .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  const { Enabled, Priority, RoutingKey, Exchange, Vendor } = found?.document ?? {};
  return {
    fields: { Enabled, Priority, RoutingKey, Exchange, Vendor },
    rights: found?.rights.map(({ name }) => name).sort(),
    children: tree(found?.children ?? []),
  };
}

/** A client that dies at the n-th request that changes something, before it is sent or when its answer is lost. */
function dyingAt(n: number, when: 'before' | 'after'): VcloudClient {
  let count = 0;
  async function mortal<T>(change: boolean, act: () => Promise<T>): Promise<T> {
    if (change) count += 1;
    if (count > n || (count === n && when === 'before' && change)) throw new Error('killed');
    const result = await act();
    if (count === n && change) throw new Error('killed');
    return result;
  }
  return {
    ...client,
    request: (method, path, options) =>
      mortal(method !== 'GET', () => client.request(method, path, options)),
    getXml: (name, path, options) => mortal(false, () => client.getXml(name, path, options)),
    sendXml: (method, path, document, options) =>
      mortal(true, () => client.sendXml(method, path, document, options)),
  };
}

describe("the guide's backup example", () => {
  test('is registered with all its links, after which nothing is left to do', async () => {
    const spec = unique(backupSpec);
    const plan = await planRegistration(client, spec);
    expect(plan.findings).toEqual([]);
    expect(plan.changes.map(describeChange)[0]).toBe(`+ Service ${spec.namespace}`);
    const { href } = await applyRegistration(client, plan);
    const service = await client.getXml('Service', href ?? '');
    expect(service).toMatchObject({ Enabled: true, Namespace: spec.namespace, Priority: 50 });
    expect(new Set(service.Link?.map(({ rel }) => rel))).toEqual(
      new Set([
        'add',
        'authorization:check',
        'bundle:upload',
        'down:apiDefinitions',
        'down:apiFilters',
        'down:resourceClasses',
        'down:serviceLinks',
        'edit',
        'remove',
        'rights',
      ]),
    );
    expect(await changesOf(spec)).toEqual([]);
  });

  test('has rights that resolve to the URNs of this installation', async () => {
    const spec = unique(backupSpec);
    await register(spec);
    const names = (spec.rights ?? []).map(({ name }) => name);
    const rights = await resolveRights(client, {
      namespace: spec.namespace,
      names: [...names, 'No such right'],
    });
    expect([...rights.keys()]).toEqual(names);
    for (const urn of rights.values()) expect(urn).toMatch(/^urn:vcloud:right:[0-9a-f-]{36}$/);
    const found = await observeService(client, spec.namespace);
    const right = await client.getXml('Right', found?.rights[0]?.href ?? '');
    expect(right.name).toBe(`{${spec.namespace}}:${names[0]}`);
  });

  test('can be taken away, also twice', async () => {
    const spec = unique(backupSpec);
    await register(spec);
    expect((await removeRegistration(client, spec)).href).toBeNull();
    expect(await observeService(client, spec.namespace)).toBeNull();
    expect((await removeRegistration(client, spec)).applied).toEqual([]);
    await register(spec);
    expect(await changesOf(spec)).toEqual([]);
  });
});

describe('a service with everything', () => {
  test('is registered and read back without a difference', async () => {
    const spec = unique(fullSpec(org()));
    const plan = await planRegistration(client, spec);
    expect(JSON.stringify(plan.changes.map(changeToJson))).toContain('"kind":"AclRule"');
    const { localizationDigest } = await applyRegistration(client, plan);
    expect(await changesOf(spec)).toEqual([]);
    const known = { localizationDigest };
    expect((await planRegistration(client, spec, known)).changes).toEqual([]);
    const other = await planRegistration(client, spec, { localizationDigest: 'another' });
    expect(other.changes.map(({ kind }) => kind)).toEqual(
      spec.localization ? ['Localization'] : [],
    );
  });

  test.each(['before', 'after'] as const)(
    'killed %s each of its requests in turn, then run again, ends in the state of an undisturbed run',
    async (when) => {
      const model = fullSpec(org());
      const undisturbed = unique(model);
      await register(undisturbed);
      const wanted = await stateOf(undisturbed);
      const { changes } = await planRegistration(client, unique(model));
      for (let n = 1; n <= changes.length; n += 1) {
        const spec = unique(model);
        await expect(register(spec, dyingAt(n, when))).rejects.toThrow('killed');
        await register(spec);
        expect(await stateOf(spec), `killed ${when} request ${n}`).toEqual(wanted);
        expect(await changesOf(spec)).toEqual([]);
      }
    },
  );

  test('while it is changed, what was there stays until its successor is there', async () => {
    const spec = unique(fullSpec(org()));
    await register(spec);
    const changed: ServiceSpec = {
      ...spec,
      priority: 70,
      apiFilters: [{ urlPattern: '/api/backup/v2/.*' }],
      resourceClasses: fullSpec(org(), 'moved').resourceClasses ?? [],
    };
    const changes = await changesOf(changed);
    const signs = changes.map((line) => line[0]);
    expect(signs.indexOf('-')).toBeGreaterThan(signs.lastIndexOf('+'));
    expect(changes).toContain('+ ApiFilter /api/backup/v2/.*');
    expect(changes).toContainEqual(expect.stringContaining('Priority: 50 -> 70'));
    await register(changed);
    expect(await changesOf(changed)).toEqual([]);
  });
});

describe('changes made by hand', () => {
  test('are found and undone with the least requests', async () => {
    const spec = unique(backupSpec);
    const { href } = await register(spec);
    const before = await observeService(client, spec.namespace);
    const [filter] = before?.children.filter(({ kind }) => kind === 'ApiFilter') ?? [];
    await client.request('DELETE', filter?.href ?? '');
    const links = before?.document.Link;
    const value = { UrlPattern: '/api/by-hand/.*' };
    const add = findLink(links, 'add', 'application/vnd.vmware.admin.apiFilter') ?? '';
    await client.sendXml('POST', add, { name: 'ApiFilter', value });
    const off = { ...before?.document, name: spec.name, Enabled: false, Link: undefined };
    await client.sendXml('PUT', href ?? '', { name: 'Service', value: off });
    expect(await changesOf(spec)).toEqual([
      `+ ApiFilter ${filter?.label}`,
      `~ Service ${spec.namespace}\n    Enabled: false -> true`,
      '- ApiFilter /api/by-hand/.*',
    ]);
    const wanted = await planRegistration(client, spec);
    await applyRegistration(client, wanted);
    expect(await changesOf(spec)).toEqual([]);
  });

  test('a filter that was added a second time is removed once', async () => {
    const spec = unique(backupSpec);
    await register(spec);
    const found = await observeService(client, spec.namespace);
    const twin = found?.children.find(({ kind }) => kind === 'ApiFilter');
    const add = findLink(found?.document.Link, 'add', 'application/vnd.vmware.admin.apiFilter');
    const value = { UrlPattern: twin?.label };
    await client.sendXml('POST', add ?? '', { name: 'ApiFilter', value });
    expect(await changesOf(spec)).toEqual([`- ApiFilter ${twin?.label}`]);
  });

  test('a service that vanished between plan and apply is not made by halves', async () => {
    const spec = unique(backupSpec);
    await register(spec);
    const plan = await planRegistration(client, { ...spec, priority: 1 });
    await removeRegistration(client, spec);
    await expect(applyRegistration(client, plan)).rejects.toMatchObject({ status: 404 });
    expect(await observeService(client, spec.namespace)).toBeNull();
  });
});

test('a namespace that another service has is left alone: its plan is a plan for that service', async () => {
  const spec = unique(backupSpec);
  await register(spec);
  const other = { ...spec, name: 'another', routingKey: 'other' };
  expect(await changesOf(other)).toEqual([expect.stringMatching(/^~ Service /)]);
});

test('a disabled manifest switches off first and stays registered', async () => {
  const spec = unique(backupSpec);
  await register(spec);
  expect(await changesOf({ ...spec, enabled: false })).toEqual([
    `~ Service ${spec.namespace}\n    Enabled: true -> false`,
  ]);
  await register({ ...spec, enabled: false });
  expect(await changesOf({ ...spec, enabled: false })).toEqual([]);
});

test('a session that ends in the middle of apply is renewed', async () => {
  const spec = unique(backupSpec);
  const plan = await planRegistration(client, spec);
  const ending = {
    ...client,
    sendXml: async (...call: Parameters<VcloudClient['sendXml']>) => {
      await client.request('DELETE', '/api/session');
      return client.sendXml(...call);
    },
  };
  await applyRegistration(ending as VcloudClient, plan);
  expect(await changesOf(spec)).toEqual([]);
});

test('the reply exchange is read from the settings', async () => {
  expect(await readReplyExchange(client)).toBe('vcd.replyExchange');
});

test('a host that is no more the registrar in the middle writes nothing more, and goes on when it is again', async () => {
  const plugin = livePlugin({ name: `fenced-${++serial}` });
  const { manifest } = plugin;
  let writes = 0;
  let held = true;
  const wrote = <T>(answer: Promise<T>) => {
    writes += 1;
    if (writes === 1) held = false;
    return answer;
  };
  const by: VcloudClient = {
    ...client,
    request: (method, path, options) => {
      const answer = client.request(method, path, options);
      return method === 'GET' ? answer : wrote(answer);
    },
    sendXml: (...call) => wrote(client.sendXml(...call)),
  };
  await using registrar = openRegistrar({
    client: by,
    plugins: () => [plugin],
    mayRegister: () => held,
    topologyReady: async () => undefined,
    log: silentLog,
  });
  await waitFor(() => registrar.problem() === null);
  expect(writes).toBe(1);
  expect(await changesOf(serviceSpec(manifest))).not.toEqual([]);
  held = true;
  registrar.takeOver();
  await waitFor(() => writes > 1 && registrar.problem() === null);
  expect(await changesOf(serviceSpec(manifest))).toEqual([]);
});
