/**
 * vApps and virtual datacenters: looked at, and asked to be made, changed and deleted.
 * May import: caller, documents, operations, model, tenant, work; hono.
 */
import { type Context, Hono } from 'hono';

import { readDocument, sendDocument } from '../documents/documents.ts';
import { type CellEnv, requireOrg } from '../sessions/caller.ts';
import type { VApp, Vdc } from '../model.ts';
import { taskElement } from '../work/documents.ts';
import { type Asking, deleteVApp, instantiateVApp, updateVApp } from '../work/operations.ts';
import type { Task } from '../work/work.ts';
import { MEDIA } from './paths.ts';
import { type Place, notFound, sceneOf } from './routes.ts';
import { vAppElement, vdcElement } from './vapp-documents.ts';

const INSTANTIATE = {
  ns: 'vcloud',
  name: 'InstantiateVAppTemplateParams',
  type: 'InstantiateVAppTemplateParams',
} as const;
const VAPP = { ns: 'vcloud', name: 'VApp', type: 'VApp' } as const;

/** Routes of vApps and datacenters; all members of an org may use them. */
export function vAppRoutes(place: Place): Hono<CellEnv> {
  const { store } = place;
  const app = new Hono<CellEnv>();
  const vAppOf = (c: Context<CellEnv>): VApp => {
    const id = c.req.param('id') ?? '';
    const vApp = id.startsWith('vapp-') ? store.vApps.get(id.slice(5).toLowerCase()) : undefined;
    if (!vApp) throw notFound('vapp', id);
    requireOrg(c.get('caller'), vApp.org);
    return vApp;
  };
  const vdcOf = (c: Context<CellEnv>): Vdc => {
    const id = c.req.param('id') ?? '';
    const vdc = store.vdcs.get(id.toLowerCase());
    if (!vdc) throw notFound('vdc', id);
    requireOrg(c.get('caller'), vdc.org);
    return vdc;
  };
  const asking = (c: Context<CellEnv>): Asking => ({
    user: c.get('caller').user,
    view: sceneOf(place, c).view,
  });
  const answerVApp = (c: Context<CellEnv>, vApp: VApp, status: 200 | 201) => {
    const document = vAppElement(sceneOf(place, c), vApp);
    return sendDocument(c, { document, type: 'VApp', media: MEDIA.vApp, status });
  };
  const accepted = (c: Context<CellEnv>, task: Task) => {
    const document = taskElement(sceneOf(place, c), task);
    return sendDocument(c, { document, type: 'Task', media: MEDIA.task, status: 202 });
  };
  app.get('/api/vdc/:id', (c) => {
    const document = vdcElement(sceneOf(place, c), vdcOf(c));
    return sendDocument(c, { document, type: 'Vdc', media: MEDIA.vdc });
  });
  app.post('/api/vdc/:id/action/instantiateVAppTemplate', async (c) => {
    const vdc = vdcOf(c);
    const node = await readDocument(c, INSTANTIATE);
    return answerVApp(c, instantiateVApp(store, asking(c), vdc, node), 201);
  });
  app.get('/api/vApp/:id', (c) => answerVApp(c, vAppOf(c), 200));
  app.put('/api/vApp/:id', async (c) => {
    const node = await readDocument(c, VAPP);
    return accepted(c, updateVApp(store, asking(c), vAppOf(c), node));
  });
  app.delete('/api/vApp/:id', (c) => accepted(c, deleteVApp(store, asking(c), vAppOf(c))));
  return app;
}
