/**
 * The routing key of a notification: `operationSuccess.entity.org.user.subType1…subTypeN[.taskName]`.
 * May import: message.
 */
import type { Told } from './event.ts';
import { bareId } from './references.ts';

export interface RoutingKey extends Omit<Told, 'entityType' | 'task'> {
  /** Operation of the task; trails the type when the entity is a task or blocking task. */
  readonly taskName: string | null;
}

const HEAD_WORDS = 4;
/** `com.vmware.vcloud.event`, the kind of object, what happened. */
const TASK_TYPE_WORDS = 6;

/** The key of an event. Ids may be URNs; the key has them bare. */
export function buildRoutingKey(key: RoutingKey): string {
  const head = [String(key.operationSuccess), ...[key.entity, key.org, key.user].map(bare)];
  const type = (key.type ?? '').replaceAll('/', '.');
  return [...head, type, ...(key.taskName === null ? [] : [key.taskName])].join('.');
}

/**
 * Read a key. Where the type ends only the type itself tells, so it is wanted when known; without it a
 * word behind `task.…` or `blockingtask.…` is the task's name. Null when the key is not of this form.
 */
export function parseRoutingKey(key: string, type: string | null = null): RoutingKey | null {
  const words = key.split('.');
  const [success, entity, org, user] = words;
  if (words.length <= HEAD_WORDS || (success !== 'true' && success !== 'false')) return null;
  const rest = words.slice(HEAD_WORDS);
  const length = typeLength(rest, type);
  return {
    operationSuccess: success === 'true',
    entity: idOf(entity),
    org: idOf(org),
    user: idOf(user),
    type: rest.slice(0, length).join('/'),
    taskName: rest.slice(length).join('.') || null,
  };
}

function typeLength(words: readonly string[], type: string | null): number {
  const known = type?.split(/[./]/) ?? [];
  if (known.length > 0 && known.every((part, index) => part === words[index])) return known.length;
  const kind = words[TASK_TYPE_WORDS - 2]?.toLowerCase();
  const ofTask = kind === 'task' || kind === 'blockingtask';
  return ofTask ? Math.min(TASK_TYPE_WORDS, words.length) : words.length;
}

/** What the system did by itself has no user: the word is empty then, or Java's `null`. */
function idOf(word: string | undefined): string | null {
  return word === undefined || word === '' || word === 'null' ? null : word;
}

function bare(id: string | null): string {
  return id === null ? '' : bareId(id);
}
