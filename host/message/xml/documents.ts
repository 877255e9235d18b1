/**
 * Every vCloud document by the name of its root element: value to XML and XML to value.
 * May import: kernel, message.
 */
import { HostError } from '../../kernel/errors.ts';
import type { Prefix, TypeRule, ValueOf } from './schema.ts';
import { NAMESPACES, elementsOf, extend, type } from './schema.ts';
import { readValue } from './read.ts';
import type { XmlCaps, XmlNode } from './tree.ts';
import { parseXml } from './tree.ts';
import * as vcloud from './types-vcloud.ts';
import * as vmext from './types-vmext.ts';
import { writeDocument } from './write.ts';

const versions = elementsOf('versions');

const versionInfo = type({
  attributes: { deprecated: 'boolean' },
  children: {
    Version: versions.one('string'),
    LoginUrl: versions.optional('string'),
    ProviderLoginUrl: versions.optional('string'),
  },
});

/** Prefix, rule and, where there is one, the stem of the media type (`+xml` is added). */
function document<V>(prefix: Prefix, rule: TypeRule<V>, media: string) {
  return { prefix, rule, media } as const;
}

const admin = (name: string) => `application/vnd.vmware.admin.${name}`;
const user = (name: string) => `application/vnd.vmware.vcloud.${name}`;

export const DOCUMENTS = {
  // vCloud namespace
  /** What the entity resolver answers: any object by its URN, with links to its representations. */
  Entity: document('vcloud', vcloud.entity, user('entity')),
  Error: document('vcloud', vcloud.error, user('error')),
  Event: document('vcloud', vcloud.event, admin('event')),
  Link: document('vcloud', vcloud.link, user('link')),
  Reference: document('vcloud', vcloud.reference, user('reference')),
  Right: document('vcloud', vcloud.right, admin('right')),
  Session: document('vcloud', vcloud.session, user('session')),
  Task: document('vcloud', vcloud.task, user('task')),
  TasksList: document('vcloud', vcloud.tasksList, user('tasksList')),
  // extension namespace
  VMWExtension: document('vmext', vcloud.resource, admin('vmwExtension')),
  ExtensionServices: document('vmext', vcloud.resource, admin('extensionServices')),
  Service: document('vmext', vmext.service, admin('service')),
  ApiFilter: document('vmext', vmext.apiFilter, admin('apiFilter')),
  ServiceLink: document('vmext', vmext.serviceLink, admin('serviceLink')),
  ApiDefinition: document('vmext', vmext.apiDefinition, admin('apiDefinition')),
  FileDescriptor: document('vmext', vmext.fileDescriptor, admin('fileDescriptor')),
  ResourceClass: document('vmext', vmext.resourceClass, admin('resourceClass')),
  ResourceClassAction: document('vmext', vmext.resourceClassAction, admin('resourceClassAction')),
  ServiceResource: document('vmext', vmext.serviceResource, admin('serviceResource')),
  AclRule: document('vmext', vmext.aclRule, admin('aclRule')),
  RightRefs: document('vmext', vmext.rightRefs, admin('rights')),
  BundleUploadParams: document('vmext', vmext.bundleUploadParams, admin('bundleUploadParams')),
  BundleUploadSocket: document('vmext', vmext.bundleUploadSocket, admin('bundleUploadSocket')),
  AuthorizationCheckParams: document(
    'vmext',
    vmext.authorizationCheckParams,
    admin('authorizationCheckParams'),
  ),
  AuthorizationCheckResponse: document(
    'vmext',
    vmext.authorizationCheckResponse,
    admin('authorizationCheckResponse'),
  ),
  AmqpSettings: document('vmext', vmext.amqpSettings, admin('amqpSettings')),
  AmqpSettingsTest: document('vmext', vmext.amqpSettingsTest, admin('amqpSettingsTest')),
  NotificationsSettings: document(
    'vmext',
    vmext.notificationsSettings,
    admin('notificationsSettings'),
  ),
  BlockingTaskSettings: document(
    'vmext',
    vmext.blockingTaskSettings,
    admin('blockingTaskSettings'),
  ),
  BlockingTaskOperations: document('vmext', vcloud.taskOperationList, admin('taskOperationList')),
  BlockingTask: document('vmext', vmext.blockingTask, admin('blockingTask')),
  BlockingTaskReferences: document(
    'vmext',
    extend(vcloud.references, {}),
    admin('blockingTaskReferences'),
  ),
  BlockingTaskOperationParams: document(
    'vmext',
    vmext.blockingTaskOperationParams,
    admin('blockingTaskOperationParams'),
  ),
  // The media type says OperationParams where the element does not.
  BlockingTaskUpdateProgressParams: document(
    'vmext',
    vmext.blockingTaskUpdateProgressParams,
    admin('blockingTaskUpdateProgressOperationParams'),
  ),
  Notification: document('vmext', vmext.notification, admin('notification')),
  // versions namespace
  SupportedVersions: document(
    'versions',
    type({ children: { VersionInfo: versions.many(versionInfo) } }),
    'text',
  ),
} as const;

export type DocumentName = keyof typeof DOCUMENTS;
/** The value of a document: attributes and elements by their own names, repeated elements as arrays. */
export type Doc<N extends DocumentName> = ValueOf<(typeof DOCUMENTS)[N]['rule']>;

/** Media type of a document in XML, without the version parameter. */
export function mediaTypeOf(name: DocumentName): string {
  return `${DOCUMENTS[name].media}+xml`;
}

/** A document as XML. Throws `XML_INVALID` when something required is missing or a text can not be held by XML. */
export function encodeXml<N extends DocumentName>(name: N, value: Doc<N>): string {
  const { prefix, rule } = DOCUMENTS[name];
  return writeDocument({ prefix, name }, rule, value);
}

/** Read a document of a known kind. Throws `XML_INVALID`; unknown elements and attributes are passed over. */
export function decodeXml<N extends DocumentName>(
  name: N,
  source: string | Uint8Array,
  caps?: XmlCaps,
): Doc<N> {
  return decodeNode(name, parseXml(source, caps));
}

/** The same for a tree that is parsed already. */
export function decodeNode<N extends DocumentName>(name: N, node: XmlNode): Doc<N> {
  const { prefix, rule } = DOCUMENTS[name];
  if (node.name !== name || node.namespace !== NAMESPACES[prefix]) {
    const found = node.name === name ? 'that of another namespace' : node.name.slice(0, 80);
    throw new HostError('XML_INVALID', `XML: ${name} expected, ${found} found`);
  }
  return readValue(rule, node, name) as Doc<N>;
}
