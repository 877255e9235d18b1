/** Every document that vcx can send, built by the code that sends it, against the vendor's schemas. */
import { describe, expect, test } from 'vitest';
import { encodeError } from '../../../host/message/vcloud-error.ts';
import type { Doc, DocumentName } from '../../../host/message/xml/documents.ts';
import { encodeXml } from '../../../host/message/xml/documents.ts';
import type { VcloudClient } from '../../../host/vcloud/client.ts';
import { applyRegistration } from '../../../host/vcloud/registration/apply.ts';
import { planRegistration } from '../../../host/vcloud/registration/plan.ts';
import { fullSpec } from '../../support/vcloud/service-specs.ts';
import { hasSchemas, validate } from '../../support/vcloud/xsd.ts';

const HOSTILE = 'a <b> & "c" \'d\' ]]> \t\r\n (?<id>[^/]+) \u00e9\u{1f600}';
const user = { href: 'https://vcd.example.com/api/admin/user/1', name: HOSTILE };

/** What is sent outside of registration. */
const OTHERS: { readonly [N in DocumentName]?: Doc<N> } = {
  Task: {
    name: 'task',
    status: 'running',
    operation: HOSTILE,
    operationName: 'backup',
    serviceNamespace: 'org.example.vcd.backup',
    startTime: '2026-01-02T03:04:05.678Z',
    cancelRequested: false,
    Description: HOSTILE,
    Owner: user,
    Error: {
      message: HOSTILE,
      majorErrorCode: 500,
      minorErrorCode: 'INTERNAL_SERVER_ERROR',
      stackTrace: '',
      TenantError: { message: 'm', majorErrorCode: 1, minorErrorCode: 'x' },
    },
    User: user,
    Organization: user,
    Progress: 40,
    Params: HOSTILE,
    Details: HOSTILE,
    Result: { ResultContent: 'done' },
  },
  Event: {
    type: 'org/example/backup/create',
    serviceNamespace: 'org.example.vcd.backup',
    success: true,
    typeFull: 'org/example/backup/create',
    Owner: user,
    User: user,
    EventProperties: { EventProperty: [{ name: HOSTILE, value: HOSTILE }] },
  },
  AuthorizationCheckParams: { User: user, HttpMethod: 'GET', URL: '/api/backup/17' },
  AmqpSettings: {
    AmqpHost: 'mq',
    AmqpPort: 5672,
    AmqpUsername: 'u',
    AmqpPassword: HOSTILE,
    AmqpExchange: 'systemExchange',
    AmqpVHost: '/',
    AmqpUseSSL: false,
    AmqpSslAcceptAll: false,
    AmqpPrefix: 'vcd',
  },
  BlockingTaskSettings: {
    TimeoutAction: 'abort',
    BlockingTaskOperations: { Operation: ['vdcComposeVapp', 'importSingletonTemplate'] },
    TimeoutInMilliseconds: 4_000_000_000,
  },
  // The form of API 33.0 and above is newer than these schemas; nothing but its list differs.
  BlockingTaskOperations: { Operation: ['vdcComposeVapp'] },
  BlockingTask: {
    name: 'vdcInstantiateVapp',
    status: 'active',
    createdTime: '2026-01-02T03:04:05.678Z',
    timeoutDate: '2026-01-02T03:09:05.678Z',
    timeoutAction: 'abort',
    Organization: user,
    User: user,
    TaskOwner: user,
  },
  BlockingTaskReferences: { Reference: [user] },
  Entity: { name: HOSTILE, id: 'urn:vcloud:vapp:1', Link: [{ rel: 'alternate', href: user.href }] },
  BlockingTaskOperationParams: { Message: HOSTILE },
  BlockingTaskUpdateProgressParams: { Message: HOSTILE, TimeoutValueInMilliseconds: 60_000 },
  Notification: {
    type: 'com/vmware/vcloud/event/vm/create',
    eventId: 'urn:vcloud:event:1',
    Link: [{ rel: 'entityResolver', href: 'https://vcd.example.com/api/entity/' }],
    EntityLink: [{ rel: 'entity', type: 'vcloud:vm', name: 'vm', id: 'urn:vcloud:vm:1' }],
    Timestamp: '2026-01-02T03:04:05.678Z',
    OperationSuccess: true,
  },
};

/** A vCloud that agrees to everything and keeps what it was sent. */
function recordingClient(sent: Record<string, string>): VcloudClient {
  const origin = 'https://vcd.example.com';
  const answer = (body: string) => ({
    status: 200,
    headers: {},
    contentType: 'application/*+xml',
    body: Buffer.from(body),
  });
  let count = 0;
  const record = (name: DocumentName, xml: string) => {
    sent[`${++count}-${name}`] = xml;
    const href = `${origin}/api/${name}/${count}`;
    if (name !== 'BundleUploadParams') return answer(withHref(name, href));
    return answer(encodeXml('BundleUploadSocket', { uploadLocation: `${origin}/transfer/1` }));
  };
  return {
    origin,
    request: async () =>
      answer('<QueryResultRecords xmlns="http://www.vmware.com/vcloud/v1.5" total="0"/>'),
    getXml: async () => ({ name: 'x', Namespace: 'x', RoutingKey: 'r', Exchange: 'e' }) as never,
    sendXml: async (_, __, { name, value }) => record(name, encodeXml(name, value)),
    connect: async () => '37.0',
    status: () => ({ state: 'ready', apiVersion: '37.0', lastError: null }),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function withHref(name: DocumentName, href: string): string {
  return encodeXml(name, { name: 'x', href, Category: 'c' });
}

async function documents(): Promise<Record<string, string>> {
  const sent: Record<string, string> = {};
  const client = recordingClient(sent);
  const spec = {
    ...fullSpec('a93c9db9-7471-3192-8d09-a8f7eeda85f9'),
    localization: { files: { 'en.properties': 'a=b' } },
  };
  await applyRegistration(client, await planRegistration(client, spec));
  for (const [name, value] of Object.entries(OTHERS))
    sent[name] = encodeXml(name as DocumentName, value as never);
  sent['Error'] = encodeError({ status: 503, code: 'OVERLOADED', message: `${HOSTILE}\0` }).body;
  // Containers in one document, as the guide posts them.
  sent['Service-nested'] = nestedService();
  return sent;
}

function nestedService(): string {
  return encodeXml('Service', {
    name: 'backup',
    Description: HOSTILE,
    Namespace: 'org.example.vcd.backup',
    Enabled: true,
    AuthorizationEnabled: true,
    RoutingKey: HOSTILE,
    Priority: 50,
    Exchange: 'backup',
    Vendor: HOSTILE,
    ApiFilters: { ApiFilter: [{ UrlPattern: HOSTILE }, { ResponseContentType: 'a/b' }] },
    ServiceLinks: { ServiceLink: [{ LinkHref: 'a', MimeType: 'b', Rel: 'c', ResourceType: 'd' }] },
    ApiDefinitions: {
      ApiDefinition: [
        {
          name: 'a',
          EntryPoint: 'e',
          Files: { FileDescriptor: [{ Description: 'd', File: user }] },
        },
      ],
    },
    ResourceClasses: {
      ResourceClass: [
        {
          name: 'c',
          ServiceResources: { ServiceResource: [{ name: 'r', Org: user, ExternalObjectId: 'x' }] },
          ResourceClassActions: {
            ResourceClassAction: [
              {
                name: 'a',
                AclRules: {
                  AclRule: [{ name: 'n', PrincipalAccess: { Access: 'Entity', Entity: user } }],
                },
              },
            ],
          },
        },
      ],
    },
  });
}

describe('XSD', async () => {
  if (!hasSchemas) {
    test('was left out: the schemas are not at ../shared/reference/xsd', () => {
      expect(hasSchemas).toBe(false);
    });
    return;
  }
  const sent = await documents();
  const errors = await validate({
    ...sent,
    // The order of the reference pages: proves that this group can fail.
    wrong:
      '<s:AuthorizationCheckParams xmlns:s="http://www.vmware.com/vcloud/extension/v1.5"><s:URL>/</s:URL><s:HttpMethod>GET</s:HttpMethod></s:AuthorizationCheckParams>',
  });

  test('covers every kind of document that can be sent', () => {
    const kinds = new Set(Object.keys(sent).map((name) => name.replace(/^\d+-/, '')));
    for (const kind of ['Service', 'Right', 'ApiFilter', 'ServiceLink', 'ApiDefinition'])
      expect(kinds).toContain(kind);
    for (const kind of ['FileDescriptor', 'ResourceClass', 'ServiceResource', 'BundleUploadParams'])
      expect(kinds).toContain(kind);
    for (const kind of ['ResourceClassAction', 'AclRule', 'Task', 'Event', 'Error'])
      expect(kinds).toContain(kind);
  });

  test.each(Object.keys(sent))('%s is valid', (name) => {
    expect(errors[name], sent[name]).toEqual([]);
  });

  test('a document in the wrong order is not', () => {
    expect(errors['wrong']).not.toEqual([]);
  });
});
