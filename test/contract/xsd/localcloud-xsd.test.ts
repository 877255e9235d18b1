/** Every kind of document that the simulated cell returns, taken from its answers, against the vendor's schemas. */
import { describe, expect, test } from 'vitest';

import { xmlForm } from '../../../sdk/localcloud/cell/events/encode.ts';
import { hasSchemas, validate } from '../../support/vcloud/xsd.ts';
import {
  BASE,
  type Cloud,
  HEAD,
  createCloud,
  filters,
  hrefOf,
  mediaFilter,
  registerService,
  urlFilter,
} from '../../unit/localcloud/kit.ts';

const HOSTILE = "a &lt;b&gt; &amp; &quot;c&quot; 'd' ]]&gt; é";

const containers = (org: string) => `${filters(urlFilter('/api/x'), mediaFilter('a/b'))}
<vmext:ServiceLinks>
  ${['vcloud.org', 'vcloud.vApp', 'admin.organization', 'admin.user', 'admin.role']
    .map(
      (type) =>
        `<vmext:ServiceLink><vmext:LinkHref>{baseUri}${HOSTILE}/{resourceId}</vmext:LinkHref><vmext:MimeType>text/x</vmext:MimeType><vmext:Rel>down:x</vmext:Rel><vmext:ResourceType>application/vnd.vmware.${type}+xml</vmext:ResourceType></vmext:ServiceLink>`,
    )
    .join('')}
</vmext:ServiceLinks>
<vmext:ApiDefinitions><vmext:ApiDefinition name="d"><Description>${HOSTILE}</Description><vmext:EntryPoint>{baseUri}b</vmext:EntryPoint><vmext:Namespace>n</vmext:Namespace><vmext:ApiVendor>v</vmext:ApiVendor><vmext:SupportedApiVersions><vmext:Version>1</vmext:Version></vmext:SupportedApiVersions><vmext:Files><vmext:FileDescriptor><vmext:Description>f</vmext:Description><vmext:File name="f" type="t" href="http://x/f"/></vmext:FileDescriptor></vmext:Files></vmext:ApiDefinition></vmext:ApiDefinitions>
<vmext:ResourceClasses><vmext:ResourceClass name="c"><vmext:MimeType>b+xml</vmext:MimeType><vmext:UrlTemplate>{baseUri}b/{resourceId}</vmext:UrlTemplate><vmext:Nid>b</vmext:Nid><vmext:UrnPattern>(?&lt;id&gt;.*)</vmext:UrnPattern><vmext:ServiceResources><vmext:ServiceResource name="r"><vmext:Org href="${BASE}/api/admin/org/${org}"/><vmext:ExternalObjectId>17</vmext:ExternalObjectId></vmext:ServiceResource></vmext:ServiceResources><vmext:ResourceClassActions><vmext:ResourceClassAction name="a"><vmext:HttpMethod>GET</vmext:HttpMethod><vmext:UrlPattern>/api/x/(?&lt;id&gt;.*)</vmext:UrlPattern><vmext:AclRules><vmext:AclRule name="u"><vmext:ServiceResourceAccess><vmext:Access>Shared</vmext:Access></vmext:ServiceResourceAccess><vmext:OrganizationAccess><vmext:Access>Entity</vmext:Access><vmext:Entity href="${BASE}/api/admin/org/${org}" type="t"/></vmext:OrganizationAccess><vmext:PrincipalAccess><vmext:Access>Shared</vmext:Access></vmext:PrincipalAccess></vmext:AclRule></vmext:AclRules></vmext:ResourceClassAction></vmext:ResourceClassActions></vmext:ResourceClass></vmext:ResourceClasses>`;

/** A cloud in which there is something of everything; returns the paths of what was made. */
async function fill(cloud: Cloud): Promise<string[]> {
  const { id } = cloud.org('acme');
  const service = await registerService(cloud, { containers: containers(id) });
  const body = (text: string) => ({ body: text.replace('HEAD', HEAD) });
  const right = `<Right HEAD name="R"><Description>${HOSTILE}</Description><Category>c</Category><BundleKey>k</BundleKey></Right>`;
  const task = `<Task HEAD name="task" status="running" operation="${HOSTILE}" operationName="o" serviceNamespace="n"><Description>d</Description><Owner href="${BASE}/api/vApp/vapp-${vAppOf(cloud)}" type="t"/><Error message="m" majorErrorCode="1" minorErrorCode="x" stackTrace="s"/><User href="${BASE}/api/admin/user/1" name="u"/><Progress>3</Progress><Params/><Details>${HOSTILE}</Details></Task>`;
  const event = `<Event HEAD type="t" serviceNamespace="n"><Owner href="o" name="v" type="x/y"/><User href="u" name="n"/></Event>`;
  const made = [
    await cloud.expectCall(201, `POST ${service}/rights`, body(right)),
    await cloud.expectCall(200, `POST /api/tasksList/${id}`, body(task)),
  ];
  await cloud.expectCall(204, `POST /api/admin/org/${id}/events`, body(event));
  const objects = [...cloud.store.entities.values()].filter(({ kind }) => kind !== 'service');
  const stem = '/api/admin/extension/service';
  const names: Record<string, string> = { serviceLink: 'link' };
  const paths = objects.map(
    ({ kind, id: own }) => `${stem}/${names[kind] ?? kind.toLowerCase()}/${own}`,
  );
  return [service, ...paths, `${service}/rights`, ...made.map(hrefOf)];
}

const SETTINGS = '/api/admin/extension/settings';
const HOLD = `<vmext:BlockingTaskSettings ${HEAD}><vmext:TimeoutAction>abort</vmext:TimeoutAction><vmext:BlockingTaskOperations><TaskOperationType><Category>c</Category><Operation>vdcInstantiateVapp</Operation></TaskOperationType></vmext:BlockingTaskOperations><vmext:TimeoutInMilliseconds>60000</vmext:TimeoutInMilliseconds></vmext:BlockingTaskSettings>`;
const INSTANTIATE = `<InstantiateVAppTemplateParams ${HEAD} name="${HOSTILE}"><Description>${HOSTILE}</Description><Source href="x"/></InstantiateVAppTemplateParams>`;
/** Nobody listens there, so the answer says what is wrong. */
const AMQP = `<vmext:AmqpSettings ${HEAD}><vmext:AmqpHost>127.0.0.1</vmext:AmqpHost><vmext:AmqpPort>1</vmext:AmqpPort><vmext:AmqpUsername>u</vmext:AmqpUsername><vmext:AmqpExchange>e</vmext:AmqpExchange><vmext:AmqpVHost>/</vmext:AmqpVHost><vmext:AmqpUseSSL>false</vmext:AmqpUseSSL></vmext:AmqpSettings>`;

/** Hold one operation and end another; returns the paths of what there is to see then. */
async function block(cloud: Cloud): Promise<string[]> {
  const vdc = [...cloud.store.vdcs.keys()][0];
  await cloud.expectCall(200, `PUT ${SETTINGS}/blockingTask`, { body: HOLD });
  const instantiate = `POST /api/vdc/${vdc}/action/instantiateVAppTemplate`;
  for (const action of ['fail', '']) {
    const vApp = hrefOf(await cloud.expectCall(201, instantiate, { body: INSTANTIATE }));
    const [id] = [...cloud.store.blockingTasks.keys()].slice(-1);
    const path = `/api/admin/extension/blockingTask/${id}`;
    const body = `<vmext:BlockingTaskOperationParams ${HEAD}><vmext:Message>${HOSTILE}</vmext:Message></vmext:BlockingTaskOperationParams>`;
    if (action) await cloud.expectCall(204, `POST ${path}/action/${action}`, { body });
    else return [path, vApp, `/api/vdc/${vdc}`];
  }
  return [];
}

/** The schemas at hand end before API version 33, which gave the held operations an element of their own. */
const asBefore33 = (text: string) =>
  text.replaceAll(
    /<TaskOperationType>(?:<Category>[^<]*<\/Category>)?(<Operation>[^<]*<\/Operation>)<\/TaskOperationType>/g,
    '$1',
  );

const vAppOf = (cloud: Cloud) =>
  [...cloud.store.vApps.values()].find(({ org }) => org.name === 'acme')?.id ?? '';

async function documents(): Promise<Record<string, string>> {
  const cloud = createCloud();
  const made = await fill(cloud);
  const held = await block(cloud);
  const alice = cloud.user('alice');
  const { id } = alice.org;
  const found: Record<string, string> = {};
  const keep = async (what: string, body?: string) => {
    const answer = await cloud.call(what, body === undefined ? {} : { body });
    const { status, text } = answer;
    found[`${status} ${what.replaceAll(/[^A-Za-z0-9=&]+/g, '_')}`] = asBefore33(text);
    return answer;
  };
  const list = await keep('GET /api/query');
  const queries = [...list.text.matchAll(/href="([^"]*type=[^"]*)"/g)].map(([, href = '']) =>
    href.replaceAll('&amp;', '&').replace(BASE, ''),
  );
  const fixed = [
    '/api/session',
    '/api/org',
    '/api/extensibility',
    '/api/admin',
    '/api/admin/extension',
    '/api/admin/extension/service',
    '/api/admin/extension/blockingTasks',
    ...['amqp', 'notifications', 'blockingTask', 'blockingTask/operations'].map(
      (name) => `${SETTINGS}/${name}`,
    ),
    ...held,
    `/api/org/${id}`,
    `/api/admin/org/${id}`,
    `/api/admin/org/${id}/rights`,
    `/api/admin/org/${id}/roles`,
    `/api/admin/user/${alice.id}`,
    `/api/admin/role/${alice.role}`,
    `/api/vApp/vapp-${vAppOf(cloud)}`,
    `/api/tasksList/${id}`,
    `/api/entity/urn:vcloud:org:${id}`,
    '/api/entity/urn:b:x',
    '/api/nothing',
    '/api/query?type=nothing',
    ...made.slice(0, 1).map((path) => path.replace('/admin/extension', '')),
    ...[...cloud.store.entities.values()]
      .filter(({ kind }) => kind === 'apiDefinition')
      .map(({ id: own }) => `/api/service/apidefinition/${own}`),
  ];
  for (const path of [...fixed, ...made, ...queries]) await keep(`GET ${path}`);
  const service = made[0] ?? '';
  await keep(
    `POST ${service}/authorizationcheck`,
    `<vmext:AuthorizationCheckParams ${HEAD}><vmext:User href="${alice.id}"/><vmext:HttpMethod>GET</vmext:HttpMethod><vmext:URL>/a</vmext:URL></vmext:AuthorizationCheckParams>`,
  );
  await keep(
    `POST ${service}/localizationbundles`,
    `<vmext:BundleUploadParams ${HEAD} fileSize="10"/>`,
  );
  await keep(`POST ${SETTINGS}/amqp/action/test`, AMQP);
  for (const [index, notice] of cloud.notices.entries())
    found[`notice ${index} ${notice.type.replaceAll('/', '_')}`] = xmlForm(notice, BASE);
  return found;
}

describe('XSD of the simulated cell', async () => {
  if (!hasSchemas) {
    test('was left out: the schemas are not at ../shared/reference/xsd', () => {
      expect(hasSchemas).toBe(false);
    });
    return;
  }
  const found = await documents();
  const names = Object.keys(found);
  const errors = await validate(found);

  test('covers every kind of document, errors among them', () => {
    const roots = new Set(
      Object.values(found).map((text) => /<(?:vmext:)?([A-Z]\w*)/.exec(text)?.[1] ?? ''),
    );
    for (const root of 'Session OrgList Org AdminOrg OrgRights OrgRoles User Role Right RightRefs VApp Task TasksList VCloud VMWExtension ExtensionServices Service ApiFilter ServiceLink ApiDefinition FileDescriptor ResourceClass ResourceClassAction ServiceResource AclRule AmqpSettings AmqpSettingsTest NotificationsSettings BlockingTaskSettings BlockingTaskOperations BlockingTaskReferences BlockingTask Vdc Notification ApiExtensibility Entity QueryList QueryResultRecords AuthorizationCheckResponse BundleUploadSocket Error'.split(
      ' ',
    ))
      expect(roots).toContain(root);
    expect(names.filter((name) => !/^(?:200|40[04]|notice) /.test(name))).toEqual([]);
    expect(names.filter((name) => name.startsWith('40'))).toHaveLength(2);
  });

  test('a document with its elements exchanged is not valid', async () => {
    const parts = /(<Owner [^>]*\/>)(<Error [^>]*\/>)/;
    const task = Object.values(found)
      .find((text) => parts.test(text))
      ?.replace(parts, '$2$1');
    expect((await validate({ task: task ?? '' }))['task']).not.toEqual([]);
  });

  test.each(names)('%s is valid', (name) => {
    expect(errors[name], found[name]).toEqual([]);
  });
});
