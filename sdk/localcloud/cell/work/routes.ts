/**
 * Lists of tasks, tasks, and the door through which services report events.
 * May import: caller, documents, store, tenant, work; hono.
 */
import { type Context, Hono } from 'hono';

import { type CellEnv, requireOrg, requireProvider } from '../sessions/caller.ts';
import { readDocument, sendDocument } from '../documents/documents.ts';
import { VcloudFault } from '../documents/fault.ts';
import { orgById } from '../store.ts';
import { MEDIA } from '../tenant/paths.ts';
import { type Place, notFound, orgOf, sceneOf } from '../tenant/routes.ts';
import { taskElement, tasksListElement } from './documents.ts';
import { postEvent } from './events.ts';
import { createTask, requestCancel, updateTask } from './tasks.ts';
import type { Task } from './work.ts';

const TASK = { ns: 'vcloud', name: 'Task', type: 'Task' } as const;
const EVENT = { ns: 'vcloud', name: 'Event', type: 'Event' } as const;

/** Whoever started a task, or administers, may ask for its end. */
function mayCancel(c: Context<CellEnv>, task: Task): boolean {
  const { administers, user } = c.get('caller');
  const started = task.parts.find((part) => part.name === 'User')?.attributes['href'];
  return administers || started?.toLowerCase().endsWith(user.id) === true;
}

/** Routes of tasks and events; making and changing them is the provider's. */
export function workRoutes(place: Place): Hono<CellEnv> {
  const { store } = place;
  const app = new Hono<CellEnv>();
  const answer = (c: Context<CellEnv>, task: Task) => {
    const document = taskElement(sceneOf(place, c), task);
    return sendDocument(c, { document, type: 'Task', media: MEDIA.task });
  };
  const taskOf = (c: Context<CellEnv>): Task => {
    const id = c.req.param('id') ?? '';
    const task = store.tasks.get(id.toLowerCase());
    const org = task && orgById(store, task.org);
    if (!task || !org) throw notFound('task', id);
    requireOrg(c.get('caller'), org);
    return task;
  };
  app.get('/api/tasksList/:id', (c) => {
    const document = tasksListElement(sceneOf(place, c), orgOf(place, c));
    return sendDocument(c, { document, type: 'TasksList', media: MEDIA.tasksList });
  });
  // 200 and not 201: so the guide shows it, and so clients expect it.
  app.post('/api/tasksList/:id', async (c) => {
    requireProvider(c.get('caller'));
    const org = orgOf(place, c);
    return answer(c, createTask(store, org, await readDocument(c, TASK)));
  });
  app.get('/api/task/:id', (c) => answer(c, taskOf(c)));
  app.put('/api/task/:id', async (c) => {
    requireProvider(c.get('caller'));
    const { id } = taskOf(c);
    const node = await readDocument(c, TASK);
    // Read again: while the document arrived, another request may have ended the task.
    const task = store.tasks.get(id);
    if (!task) throw notFound('task', id);
    return answer(c, updateTask(store, task, node));
  });
  app.post('/api/task/:id/action/cancel', (c) => {
    const task = taskOf(c);
    if (!mayCancel(c, task)) throw new VcloudFault(403, 'Only its user may cancel a task');
    requestCancel(store, task);
    return c.body(null, 204);
  });
  app.post('/api/admin/org/:id/events', async (c) => {
    requireProvider(c.get('caller'));
    const org = orgOf(place, c);
    postEvent(store, org, await readDocument(c, EVENT));
    return c.body(null, 204);
  });
  return app;
}
