/**
 * Users and roles below the administrative view of an org.
 * May import: caller, documents, notice, model, store, tenant; hono.
 */
import { type Context, Hono } from 'hono';

import { EVENT_ROOT, raise, userNamed } from '../events/notice.ts';
import { type CellEnv, requireAdministrator } from '../sessions/caller.ts';
import { readDocument, sendDocument } from '../documents/documents.ts';
import type { Role, User } from '../model.ts';
import type { Store } from '../store.ts';
import { roleElement, userElement } from './documents.ts';
import { MEDIA } from './paths.ts';
import {
  createRole,
  createUser,
  deleteRole,
  deleteUser,
  updateRole,
  updateUser,
} from './people.ts';
import { type Place, notFound, orgOf, sceneOf } from './routes.ts';

const USER = { ns: 'vcloud', name: 'User', type: 'User' } as const;
const ROLE = { ns: 'vcloud', name: 'Role', type: 'Role' } as const;

/** What somebody has done to a user or role, as an event of its org: `user/create` and so on. */
function raisePerson(store: Store, by: User, what: string, done: User | Role): void {
  const { id, name, org } = done;
  const kind = what.split('/')[0] ?? '';
  const entity = { kind, id, name };
  raise(store, { type: `${EVENT_ROOT}${what}`, success: true, org, user: userNamed(by), entity });
}

function userRoutes(app: Hono<CellEnv>, place: Place): void {
  const { store } = place;
  const answer = (c: Context<CellEnv>, user: User, status: 200 | 201 = 200) => {
    const document = userElement(sceneOf(place, c), user);
    return sendDocument(c, { document, type: 'User', media: MEDIA.user, status });
  };
  /** Oneself may be looked at without being an administrator. */
  const found = (c: Context<CellEnv>, change: boolean): User => {
    const id = c.req.param('id') ?? '';
    const user = store.users.get(id.toLowerCase());
    if (!user) throw notFound('user', id);
    const caller = c.get('caller');
    if (change || caller.user.id !== user.id) requireAdministrator(caller, user.org);
    return user;
  };
  app.post('/api/admin/org/:id/users', async (c) => {
    const org = orgOf(place, c);
    requireAdministrator(c.get('caller'), org);
    const user = createUser(store, org, await readDocument(c, USER));
    raisePerson(store, c.get('caller').user, 'user/create', user);
    return answer(c, user, 201);
  });
  app.get('/api/admin/user/:id', (c) => answer(c, found(c, false)));
  app.put('/api/admin/user/:id', async (c) => {
    const user = found(c, true);
    const updated = updateUser(store, user, await readDocument(c, USER));
    raisePerson(store, c.get('caller').user, 'user/modify', updated);
    if (updated.isEnabled !== user.isEnabled)
      raisePerson(
        store,
        c.get('caller').user,
        updated.isEnabled ? 'user/enable' : 'user/disable',
        updated,
      );
    return answer(c, updated);
  });
  app.delete('/api/admin/user/:id', (c) => {
    const user = found(c, true);
    deleteUser(store, user);
    raisePerson(store, c.get('caller').user, 'user/delete', user);
    return c.body(null, 204);
  });
}

function roleRoutes(app: Hono<CellEnv>, place: Place): void {
  const { store } = place;
  const answer = (c: Context<CellEnv>, role: Role, status: 200 | 201 = 200) => {
    const document = roleElement(sceneOf(place, c), role);
    return sendDocument(c, { document, type: 'Role', media: MEDIA.role, status });
  };
  const found = (c: Context<CellEnv>): Role => {
    const id = c.req.param('id') ?? '';
    const role = store.roles.get(id.toLowerCase());
    if (!role) throw notFound('role', id);
    requireAdministrator(c.get('caller'), role.org);
    return role;
  };
  app.post('/api/admin/org/:id/roles', async (c) => {
    const org = orgOf(place, c);
    requireAdministrator(c.get('caller'), org);
    const role = createRole(store, org, await readDocument(c, ROLE));
    raisePerson(store, c.get('caller').user, 'role/create', role);
    return answer(c, role, 201);
  });
  app.get('/api/admin/role/:id', (c) => answer(c, found(c)));
  app.put('/api/admin/role/:id', async (c) => {
    const role = found(c);
    const updated = updateRole(store, role, await readDocument(c, ROLE));
    raisePerson(store, c.get('caller').user, 'role/modify', updated);
    return answer(c, updated);
  });
  app.delete('/api/admin/role/:id', (c) => {
    const role = found(c);
    deleteRole(store, role);
    raisePerson(store, c.get('caller').user, 'role/delete', role);
    return c.body(null, 204);
  });
}

/** Routes of users and roles; an org's administrators have them for their own org. */
export function peopleRoutes(place: Place): Hono<CellEnv> {
  const app = new Hono<CellEnv>();
  userRoutes(app, place);
  roleRoutes(app, place);
  return app;
}
