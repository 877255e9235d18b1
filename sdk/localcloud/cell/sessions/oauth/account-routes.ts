/**
 * Service accounts as administrators see them: the list, granting what a device asked for, taking it back.
 * May import: caller, fault, oauth, model, store; hono.
 */
import { Hono } from 'hono';

import { type Caller, type CellEnv, requireAdministrator, sees } from '../caller.ts';
import { VcloudFault } from '../../documents/fault.ts';
import type { Org } from '../../model.ts';
import { type Store, orgById } from '../../store.ts';
import { type OAuthClient, type OAuthDesk, grantDevice, revokeClient } from './oauth.ts';

const urnOf = ({ id }: OAuthClient) => `urn:vcloud:serviceAccount:${id}`;

function toJson(store: Store, client: OAuthClient) {
  const { name, status, user, softwareId } = client;
  const role = store.roles.get(user.role);
  const org: Org = orgById(store, user.org.id) ?? user.org;
  return {
    id: urnOf(client),
    name,
    softwareId,
    softwareVersion: null,
    uri: null,
    role: role && { name: role.name, id: `urn:vcloud:role:${role.id}` },
    status,
    org: { name: org.name, id: `urn:vcloud:org:${org.id}` },
  };
}

function accountsFor({ clients }: OAuthDesk, caller: Caller): OAuthClient[] {
  return [...clients.values()].filter(
    (client) => client.kind === 'serviceAccount' && sees(caller, client.user.org),
  );
}

async function userCodeIn(request: { json(): Promise<unknown> }): Promise<string> {
  const body = await request.json().catch(() => undefined);
  const code = (body as { readonly userCode?: unknown } | undefined)?.userCode;
  if (typeof code !== 'string') throw new VcloudFault(400, "The field 'userCode' is required");
  return code;
}

/** Routes below `/cloudapi/1.0.0`, for administrators of an org and of the system. */
export function accountRoutes(desk: OAuthDesk): Hono<CellEnv> {
  const app = new Hono<CellEnv>();
  const path = '/cloudapi/1.0.0/serviceAccounts';
  const account = (caller: Caller, urn: string) => {
    const found = accountsFor(desk, caller).find((client) => urnOf(client) === urn);
    if (!found) throw new VcloudFault(404, `There is no service account '${urn}'`);
    requireAdministrator(caller, found.user.org);
    return found;
  };
  app.get(path, (c) => {
    const caller = c.get('caller');
    const values = accountsFor(desk, caller).map((client) => toJson(desk.store, client));
    if (!caller.administers) throw new VcloudFault(403, 'Only an administrator may do this');
    const { length } = values;
    return c.json({ resultTotal: length, pageCount: 1, page: 1, pageSize: 32, values });
  });
  app.get(`${path}/:urn`, (c) =>
    c.json(toJson(desk.store, account(c.get('caller'), c.req.param('urn')))),
  );
  app.post(`${path}/:urn/revoke`, (c) => {
    revokeClient(desk, account(c.get('caller'), c.req.param('urn')));
    return c.body(null, 204);
  });
  app.delete(`${path}/:urn`, (c) => {
    const found = account(c.get('caller'), c.req.param('urn'));
    revokeClient(desk, found);
    desk.clients.delete(found.id);
    desk.store.users.delete(found.user.id);
    return c.body(null, 204);
  });
  app.post('/cloudapi/1.0.0/deviceLookup/grant', async (c) => {
    const caller = c.get('caller');
    const code = await userCodeIn(c.req);
    const waiting = accountsFor(desk, caller).find((client) => client.userCode === code);
    if (!waiting) throw new VcloudFault(404, 'Nobody asks with this user code');
    requireAdministrator(caller, waiting.user.org);
    grantDevice(desk, code);
    return c.body(null, 204);
  });
  return app;
}
