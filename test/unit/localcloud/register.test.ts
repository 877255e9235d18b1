/** What the simulated cell's store allows: services, children, rights, and which service a path belongs to. */
import { describe, expect, test } from 'vitest';

import {
  type Element,
  element,
  leaf,
  textOf,
} from '../../../sdk/localcloud/cell/documents/element.ts';
import { servicesFor } from '../../../sdk/localcloud/cell/amqp/filters.ts';
import {
  createEntity,
  deleteEntity,
  updateService,
} from '../../../sdk/localcloud/cell/extension/register.ts';
import { entityElement } from '../../../sdk/localcloud/cell/documents/represent.ts';
import { createRight, deleteRight } from '../../../sdk/localcloud/cell/extension/rights.ts';
import { createStore } from '../../../sdk/localcloud/cell/populate.ts';
import { type Store, childrenOf, rightsOf } from '../../../sdk/localcloud/cell/store.ts';

interface Wanted {
  readonly name?: string;
  readonly enabled?: boolean;
  readonly priority?: number;
  readonly filters?: readonly string[];
}

function document(wanted: Wanted): Element {
  const { name = 's', enabled = true, priority = 50, filters } = wanted;
  const container = filters && [
    element(
      'vmext:ApiFilters',
      {},
      filters.map((pattern) => element('vmext:ApiFilter', {}, [leaf('vmext:UrlPattern', pattern)])),
    ),
  ];
  return element('vmext:Service', { name }, [
    leaf('vmext:Namespace', `org.example.${name}`),
    leaf('vmext:Enabled', enabled),
    leaf('vmext:RoutingKey', 'k'),
    leaf('vmext:Priority', priority),
    leaf('vmext:Exchange', 'e'),
    ...(container ?? []),
  ]);
}

const add = (store: Store, wanted: Wanted = {}) => createEntity(store, document(wanted), 'service');

const filter = (inner: readonly Element[]) => element('vmext:ApiFilter', {}, inner);

describe('a service', () => {
  test('with a namespace that is taken is refused', () => {
    const store = createStore();
    add(store);
    expect(() => add(store)).toThrow("'org.example.s' already exists");
  });

  test('is not made at all when one of its filters is wrong', () => {
    const store = createStore();
    expect(() => add(store, { filters: ['/ok', '('] })).toThrow('unclosed group');
    expect(store.entities.size).toBe(0);
  });

  test.each(['Namespace', 'RoutingKey', 'Exchange'])('without %s is refused', (name) => {
    const whole = document({});
    const node = { ...whole, children: whole.children.filter((child) => child.name !== name) };
    expect(() => createEntity(createStore(), node, 'service')).toThrow(`'${name}'`);
  });

  test('with a priority above 100 is refused', () => {
    expect(() => add(createStore(), { priority: 101 })).toThrow('Priority');
  });

  test('must be disabled before it is deleted, and takes everything below it along', () => {
    const store = createStore();
    const service = add(store, { filters: ['/a'] });
    const right = element('vcloud:Right', { name: 'R' }, [leaf('vcloud:Category', 'c')]);
    createRight(store, service, right);
    expect(() => deleteEntity(store, service)).toThrow('must be disabled');
    deleteEntity(store, updateService(store, service, document({ enabled: false })));
    expect(store.entities.size).toBe(0);
    expect([...store.rights.values()].some((item) => item.service !== undefined)).toBe(false);
  });

  test('keeps what a PUT leaves out, refuses another namespace, replaces a container that is there', () => {
    const store = createStore();
    const service = add(store, { priority: 70, filters: ['/a', '/b'] });
    const bare = element('vmext:Service', { name: 's' }, [leaf('vmext:Enabled', false)]);
    const updated = updateService(store, service, bare);
    expect(textOf(updated.content, 'Priority')).toBe('70');
    expect(childrenOf(store, service.id, 'apiFilter')).toHaveLength(2);
    updateService(store, updated, document({ filters: ['/c'] }));
    expect(childrenOf(store, service.id, 'apiFilter')).toHaveLength(1);
    expect(() => updateService(store, updated, document({ name: 'other' }))).toThrow('Namespace');
  });

  test('posted twice with one operationKey is made once', () => {
    const store = createStore();
    const node = { ...document({}), attributes: { name: 's', operationKey: 'once' } };
    const first = createEntity(store, node, 'service');
    expect(createEntity(store, node, 'service')).toBe(first);
  });

  test('shows the documented links and no containers', () => {
    const store = createStore();
    const service = add(store, { filters: ['/a'] });
    const view = { base: 'http://127.0.0.1:1', format: 'xml' } as const;
    const shown = entityElement(store, view, service).children;
    const links = shown.filter((child) => child.name === 'Link');
    expect(
      links.map(({ attributes }) => `${attributes['rel']} ${attributes['type'] ?? ''}`),
    ).toEqual([
      'remove ',
      'edit application/vnd.vmware.admin.service+xml',
      'rights application/vnd.vmware.admin.rights+xml',
      'down:serviceLinks application/vnd.vmware.vcloud.query.records+xml',
      'down:apiFilters application/vnd.vmware.vcloud.query.records+xml',
      'down:apiDefinitions application/vnd.vmware.vcloud.query.records+xml',
      'down:resourceClasses application/vnd.vmware.vcloud.query.records+xml',
      'add application/vnd.vmware.admin.serviceLink+xml',
      'add application/vnd.vmware.admin.apiFilter+xml',
      'add application/vnd.vmware.admin.apiDefinition+xml',
      'add application/vnd.vmware.admin.resourceClass+xml',
      'bundle:upload application/vnd.vmware.admin.bundleUploadParams+xml',
      'authorization:check application/vnd.vmware.admin.authorizationCheckParams+xml',
    ]);
    expect(shown.some((child) => child.name === 'ApiFilters')).toBe(false);
  });
});

describe('a filter', () => {
  const post = (inner: readonly Element[]) => {
    const store = createStore();
    return createEntity(store, filter(inner), 'apiFilter', add(store).id);
  };

  test('has exactly one of UrlPattern and ResponseContentType', () => {
    const pattern = leaf('vmext:UrlPattern', '/a');
    const media = leaf('vmext:ResponseContentType', 'text/plain');
    expect(post([pattern]).kind).toBe('apiFilter');
    expect(post([media]).kind).toBe('apiFilter');
    expect(() => post([pattern, media])).toThrow('exactly one');
    expect(() => post([])).toThrow('exactly one');
  });

  test('has at most 1024 characters', () => {
    expect(post([leaf('vmext:UrlPattern', 'a'.repeat(1024))]).kind).toBe('apiFilter');
    expect(() => post([leaf('vmext:UrlPattern', 'a'.repeat(1025))])).toThrow('1024');
  });
});

describe('a path belongs to', () => {
  const names = (store: Store, path: string) => servicesFor(store, path).map((item) => item.name);

  test('the enabled services whose filter matches all of it, highest priority first', () => {
    const store = createStore();
    add(store, { name: 'low', priority: 10, filters: ['/api/.*'] });
    add(store, { name: 'high', priority: 90, filters: ['/api/x', '/api/y'] });
    add(store, { name: 'off', enabled: false, filters: ['/api/x'] });
    add(store, { name: 'part', filters: ['/api'] });
    expect(names(store, '/api/x')).toEqual(['high', 'low']);
    expect(names(store, '/api/x/z')).toEqual(['low']);
    expect(names(store, '/other')).toEqual([]);
  });

  test('no service by a filter on response types', () => {
    const store = createStore();
    const media = [leaf('vmext:ResponseContentType', '.*')];
    createEntity(store, filter(media), 'apiFilter', add(store).id);
    expect(names(store, '/api/x')).toEqual([]);
  });
});

describe('rights', () => {
  const right = (name: string) => element('vcloud:Right', { name }, [leaf('vcloud:Category', 'c')]);

  test('carry the namespace in their name, are unique, and can be deleted unless built in', () => {
    const store = createStore();
    const service = add(store);
    const made = createRight(store, service, right('Backup: View'));
    expect(made.name).toBe('{org.example.s}:Backup: View');
    expect(() => createRight(store, service, right('Backup: View'))).toThrow('already exists');
    deleteRight(store, made);
    const [builtIn] = store.rights.values();
    expect(() => builtIn && deleteRight(store, builtIn)).toThrow('built in');
  });

  test('go to the users by their role, and their ids differ in every cloud', () => {
    const store = createStore();
    const service = add(store);
    createRight(store, service, right('Backup: View'));
    createRight(store, service, right('Backup: Manage'));
    const own = (name: string) => {
      const user =
        [...store.users.values()].find((item) => item.name === name) ?? store.administrator;
      return rightsOf(store, user).flatMap((item) => (item.service ? [item.name] : []));
    };
    expect(own('alice')).toHaveLength(2);
    expect(own('bob')).toEqual(['{org.example.s}:Backup: View']);
    expect(own('carol')).toEqual([]);
    expect(own('administrator')).toHaveLength(2);
    const other = createStore();
    expect(new Set([...store.rights.keys(), ...other.rights.keys()]).size).toBe(
      store.rights.size + other.rights.size,
    );
  });
});
