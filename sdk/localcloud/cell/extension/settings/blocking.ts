/**
 * The settings of blocking tasks: which operations wait for a word, how long, and what happens then.
 * May import: accept, caller, documents, element, fault, represent, settings, store; hono.
 */
import { type Context, Hono } from 'hono';

import { readAccept } from '../../documents/accept.ts';
import { readDocument, sendDocument, viewOf } from '../../documents/documents.ts';
import { type Element, element, leaf, textOf } from '../../documents/element.ts';
import { VcloudFault } from '../../documents/fault.ts';
import { EXTENSION, type View, link } from '../../documents/represent.ts';
import type { CellEnv } from '../../sessions/caller.ts';
import type { Place } from '../../tenant/routes.ts';
import { type HeldOperation, type Settings, TIMEOUT_ACTIONS } from './settings.ts';

const ADMIN = 'application/vnd.vmware.admin.';
export const BLOCKING_SETTINGS = `${EXTENSION}/settings/blockingTask`;
const OPERATIONS = `${BLOCKING_SETTINGS}/operations`;
/** From this version on operations have a category, and an element of their own. */
const CATEGORIES_SINCE = 33;

const SETTINGS_ROOT = {
  ns: 'vmext',
  name: 'BlockingTaskSettings',
  type: 'BlockingTaskSettings',
} as const;
const LIST_ROOT = {
  ns: 'vmext',
  name: 'BlockingTaskOperations',
  type: 'TaskOperationList',
} as const;

const refuse = (message: string) => new VcloudFault(400, `Blocking tasks: ${message}`);

const versionIn = (text: string) => /;\s*version=["']?([0-9.]+)/i.exec(text)?.[1];

/** The version that the request's document is written in: its own, or that of the answer. */
function documentVersion(c: Context): number {
  const own = versionIn(c.req.header('content-type') ?? '');
  return Number.parseFloat(own ?? readAccept(c.req.header('accept')).version);
}

function operationOf(node: Element): HeldOperation {
  const bare = node.name === 'Operation';
  const name = (bare ? node.text : (textOf(node.children, 'Operation') ?? '')).trim();
  const category = textOf(node.children, 'Category');
  if (name === '') throw refuse('an operation needs a name');
  return { name, ...(category ? { category } : {}) };
}

/** Operations of a list, in the form that the version of its document wants. */
function operationsIn(list: Element, version: number): HeldOperation[] {
  const named = list.children.filter(({ name }) => name !== 'Link');
  const wanted = version >= CATEGORIES_SINCE ? 'TaskOperationType' : 'Operation';
  if (named.some(({ name }) => name !== wanted))
    throw refuse(`in API version ${version} operations are elements '${wanted}'`);
  const operations = named.map(operationOf);
  const names = new Set(operations.map(({ name }) => name));
  if (names.size < operations.length) throw refuse('each operation may be named only once');
  return operations;
}

function operationsElement(view: View, { blocking }: Settings, version: number): Element {
  const operations = blocking.operations.map(({ name, category }) =>
    version >= CATEGORIES_SINCE
      ? element('vcloud:TaskOperationType', {}, [
          ...(category === undefined ? [] : [leaf('vcloud:Category', category)]),
          leaf('vcloud:Operation', name),
        ])
      : leaf('vcloud:Operation', name),
  );
  return element(
    'vmext:BlockingTaskOperations',
    { href: `${view.base}${OPERATIONS}`, type: `${ADMIN}taskOperationList+${view.format}` },
    [
      link(view, 'edit', OPERATIONS, `${ADMIN}taskOperationList`),
      link(view, 'up', BLOCKING_SETTINGS, `${ADMIN}blockingTaskSettings`),
      ...operations,
    ],
  );
}

function settingsElement(view: View, settings: Settings, version: number): Element {
  return element(
    'vmext:BlockingTaskSettings',
    {
      href: `${view.base}${BLOCKING_SETTINGS}`,
      type: `${ADMIN}blockingTaskSettings+${view.format}`,
    },
    [
      link(view, 'edit', BLOCKING_SETTINGS, `${ADMIN}blockingTaskSettings`),
      link(view, 'down', OPERATIONS, `${ADMIN}taskOperationList`),
      leaf('vmext:TimeoutAction', settings.blocking.timeoutAction),
      operationsElement(view, settings, version),
      leaf('vmext:TimeoutInMilliseconds', settings.blocking.timeoutMs),
    ],
  );
}

function readSettings(node: Element, version: number): Settings['blocking'] {
  const given = textOf(node.children, 'TimeoutAction')?.trim();
  const timeoutAction = TIMEOUT_ACTIONS.find((action) => action === given);
  if (!timeoutAction) throw refuse(`TimeoutAction must be one of ${TIMEOUT_ACTIONS.join(', ')}`);
  const timeoutMs = Number(textOf(node.children, 'TimeoutInMilliseconds'));
  if (timeoutMs < 0) throw refuse('TimeoutInMilliseconds must not be negative');
  const list = node.children.find(({ name }) => name === 'BlockingTaskOperations');
  return { timeoutAction, timeoutMs, operations: list ? operationsIn(list, version) : [] };
}

/** Routes of the settings of blocking tasks; what they change holds for tasks to come. */
export function blockingSettingsRoutes({ store, base }: Place): Hono<CellEnv> {
  const { settings } = store;
  const app = new Hono<CellEnv>();
  const shownVersion = (c: Context) =>
    Number.parseFloat(readAccept(c.req.header('accept')).version);
  const answerSettings = (c: Context) =>
    sendDocument(c, {
      document: settingsElement(viewOf(c, base), settings, shownVersion(c)),
      type: 'BlockingTaskSettings',
      media: `${ADMIN}blockingTaskSettings`,
    });
  const answerOperations = (c: Context) =>
    sendDocument(c, {
      document: operationsElement(viewOf(c, base), settings, shownVersion(c)),
      type: 'TaskOperationList',
      media: `${ADMIN}taskOperationList`,
    });
  app.get(BLOCKING_SETTINGS, answerSettings);
  app.put(BLOCKING_SETTINGS, async (c) => {
    settings.blocking = readSettings(await readDocument(c, SETTINGS_ROOT), documentVersion(c));
    return answerSettings(c);
  });
  app.get(OPERATIONS, answerOperations);
  app.put(OPERATIONS, async (c) => {
    const operations = operationsIn(await readDocument(c, LIST_ROOT), documentVersion(c));
    settings.blocking = { ...settings.blocking, operations };
    return answerOperations(c);
  });
  return app;
}
