/**
 * Tasks as documents: what is sent to vCloud, and what a plug-in answers its caller with.
 * May import: message, vcloud.
 */
import type { Doc } from '../../message/xml/documents.ts';
import { encodeXml, mediaTypeOf } from '../../message/xml/documents.ts';
import { legalize } from '../../message/xml/text.ts';
import { uuidOf } from '../../vcloud/links.ts';

export type TaskDocument = Doc<'Task'>;

/** States from which a task never moves. */
const ENDED = new Set(['success', 'error', 'canceled', 'aborted']);

export const hasEnded = ({ status }: TaskDocument): boolean => ENDED.has(status ?? '');

export interface TaskWish {
  /** Origin for hrefs. */
  readonly origin: string;
  readonly namespace: string;
  /** Bare ids. */
  readonly org: string;
  readonly user: string;
  readonly operation: string;
  readonly operationName: string;
  readonly details: string | null;
  /** Href of what is worked on; the org when null. */
  readonly owner: string | null;
  readonly key: string;
}

export function newTask(wish: TaskWish): TaskDocument {
  const { origin, org, user, key, namespace } = wish;
  const organization = `${origin}/api/org/${org}`;
  const type = 'application/vnd.vmware.vcloud.org+xml';
  return {
    name: 'task',
    operationKey: key,
    status: 'running',
    operation: legalize(wish.operation),
    operationName: legalize(wish.operationName),
    serviceNamespace: namespace,
    Owner: wish.owner === null ? { href: organization, type } : { href: wish.owner },
    User: {
      href: `${origin}/api/admin/user/${user}`,
      type: 'application/vnd.vmware.admin.user+xml',
    },
    Progress: 0,
    ...(wish.details === null ? {} : { Details: legalize(wish.details) }),
  };
}

export interface TaskChange {
  readonly status?: 'running' | 'success' | 'error';
  readonly progress?: number | null;
  readonly details?: string | null;
  /** Of an error. */
  readonly message?: string | null;
}

/** The whole element for a PUT: what was, with the change; links stay vCloud's. */
export function changedTask(task: TaskDocument, change: TaskChange): TaskDocument {
  const { Link: _, ...rest } = task;
  const message = legalize(change.message ?? 'the work failed');
  return {
    ...rest,
    status: change.status ?? task.status,
    ...(change.status === 'error'
      ? {
          Error: {
            message,
            majorErrorCode: 500,
            minorErrorCode: 'INTERNAL_SERVER_ERROR',
            stackTrace: '',
          },
        }
      : {}),
    Progress: change.status === 'success' ? 100 : (change.progress ?? task.Progress),
    Details: change.details == null ? task.Details : legalize(change.details),
  };
}

/** What the guest gets of a task: enough to answer its caller at once. */
export function toGuest(task: TaskDocument) {
  return {
    id: uuidOf(task.id) ?? uuidOf(task.href) ?? '',
    href: task.href ?? '',
    xml: encodeXml('Task', task),
    json: JSON.stringify(lowerKeys(task)),
    type: mediaTypeOf('Task').replace(/\+xml$/, ''),
  };
}

/** vCloud's JSON has the names of elements with a small first letter. */
function lowerKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lowerKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      `${name.charAt(0).toLowerCase()}${name.slice(1)}`,
      lowerKeys(inner),
    ]),
  );
}
