/**
 * Blocking tasks for the system administrator: the list, one of them, and what can be done with it.
 * May import: actions, caller, documents, fault, notice, settings, store; hono.
 */
import { type Context, Hono } from 'hono';

import { readDocument, requireMedia, sendDocument, viewOf } from '../documents/documents.ts';
import { textOf } from '../documents/element.ts';
import { VcloudFault } from '../documents/fault.ts';
import { EXTENSION } from '../documents/represent.ts';
import { userNamed } from '../events/notice.ts';
import { TIMEOUT_ACTIONS } from '../extension/settings/settings.ts';
import type { CellEnv } from '../sessions/caller.ts';
import type { Place } from '../tenant/routes.ts';
import { notFound } from '../tenant/routes.ts';
import { act, updateProgress } from './actions.ts';
import type { BlockingTask } from './blocking.ts';
import { BLOCKING_MEDIA, blockingElement, blockingListElement } from './documents.ts';

const PARAMS = {
  ns: 'vmext',
  name: 'BlockingTaskOperationParams',
  type: 'BlockingTaskOperationParams',
} as const;
const PROGRESS = {
  ns: 'vmext',
  name: 'BlockingTaskUpdateProgressParams',
  type: 'BlockingTaskUpdateProgressParams',
} as const;

function timeoutIn(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = Number(text);
  if (ms < 0) throw new VcloudFault(400, 'TimeoutValueInMilliseconds must not be negative');
  return ms;
}

/** Routes below the extension tree, where only system administrators get to. */
export function blockingRoutes({ store, base }: Place): Hono<CellEnv> {
  const app = new Hono<CellEnv>();
  const found = (c: Context<CellEnv>): BlockingTask => {
    const id = c.req.param('id') ?? '';
    const blocking = store.blockingTasks.get(id.toLowerCase());
    if (!blocking) throw notFound('blockingTask', id);
    return blocking;
  };
  const answer = (c: Context<CellEnv>, blocking: BlockingTask) =>
    sendDocument(c, {
      document: blockingElement(store, viewOf(c, base), blocking),
      type: 'BlockingTask',
      media: BLOCKING_MEDIA.task,
    });
  app.on('GET', [`${EXTENSION}/blockingTasks`, `${EXTENSION}/blockingTasks/`], (c) =>
    sendDocument(c, {
      document: blockingListElement(store, viewOf(c, base)),
      type: 'References',
      media: BLOCKING_MEDIA.list,
    }),
  );
  app.get(`${EXTENSION}/blockingTask/:id`, (c) => answer(c, found(c)));
  for (const action of TIMEOUT_ACTIONS)
    app.post(`${EXTENSION}/blockingTask/:id/action/${action}`, async (c) => {
      requireMedia(c, BLOCKING_MEDIA.params);
      const node = await readDocument(c, PARAMS);
      const message = textOf(node.children, 'Message') ?? '';
      // Read after the document: while it arrived, somebody else may have acted.
      act(store, found(c), { action, message, user: userNamed(c.get('caller').user) });
      return c.body(null, 204);
    });
  app.post(`${EXTENSION}/blockingTask/:id/action/updateProgress`, async (c) => {
    requireMedia(c, BLOCKING_MEDIA.progress);
    const node = await readDocument(c, PROGRESS);
    const message = textOf(node.children, 'Message') ?? '';
    const timeoutMs = timeoutIn(textOf(node.children, 'TimeoutValueInMilliseconds'));
    return answer(c, updateProgress(store, found(c), { message, timeoutMs }));
  });
  return app;
}
