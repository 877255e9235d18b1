/**
 * The authorization check: what a cell would decide about a user's request, without making it.
 * May import: authorize, caller, documents, fault, filters, represent, model, store; hono.
 */
import { type Context, Hono } from 'hono';

import type { CellEnv } from '../../sessions/caller.ts';
import { readDocument, sendDocument } from '../../documents/documents.ts';
import { type Element, element, leaf, textOf } from '../../documents/element.ts';
import { VcloudFault } from '../../documents/fault.ts';
import { servicesFor } from '../../amqp/filters.ts';
import { EXTENSION } from '../../documents/represent.ts';
import type { Entity } from '../../model.ts';
import type { Store } from '../../store.ts';
import { type Place, notFound } from '../../tenant/routes.ts';
import { type Asking, authorizes, isAuthorized } from './authorize.ts';
import { uuidIn } from '../service-links.ts';

const PARAMS = {
  ns: 'vmext',
  name: 'AuthorizationCheckParams',
  type: 'AuthorizationCheckParams',
} as const;
const METHODS = ['GET', 'PUT', 'POST', 'DELETE'];

const refuse = (message: string) => new VcloudFault(400, `AuthorizationCheckParams: ${message}`);

/** A relative URL by its path; an absolute one is taken by its path too. */
function pathIn(url: string): string {
  const path = url.trim().replace(/^https?:\/\/[^/?#]*/i, '');
  if (!path.startsWith('/')) throw refuse(`the URL '${url}' does not start with a slash`);
  return path.replace(/[?#].*$/s, '');
}

/** Who wants to do what; 400 when one of the three is missing or makes no sense. */
export function askingIn(store: Store, node: Element): Asking {
  const href = node.children.find((child) => child.name === 'User')?.attributes['href'];
  const method = textOf(node.children, 'HttpMethod')?.trim();
  const url = textOf(node.children, 'URL');
  if (href === undefined) throw refuse("the element 'User' is required");
  if (method === undefined || !METHODS.includes(method))
    throw refuse(`HttpMethod must be one of ${METHODS.join(', ')}`);
  if (url === undefined) throw refuse("the element 'URL' is required");
  const user = store.users.get(uuidIn(href) ?? '');
  if (!user) throw refuse(`there is no user '${href}'`);
  return { user, method, path: pathIn(url) };
}

/** The services that the check without an id asks: those that get the request and have authorization enabled. */
const concerned = (store: Store, { path }: Asking): Entity[] =>
  servicesFor(store, path).filter(authorizes);

/** Both forms of the check; the caller has made sure that a system administrator asks. */
export function authorizationRoutes({ store }: Place): Hono<CellEnv> {
  const app = new Hono<CellEnv>();
  const answer = (c: Context<CellEnv>, yes: boolean) =>
    sendDocument(c, {
      document: element('vmext:AuthorizationCheckResponse', {}, [leaf('vmext:IsAuthorized', yes)]),
      type: 'AuthorizationCheckResponse',
      media: 'application/vnd.vmware.admin.authorizationCheckResponse',
    });
  app.post(`${EXTENSION}/service/authorizationcheck`, async (c) => {
    const asking = askingIn(store, await readDocument(c, PARAMS));
    const services = concerned(store, asking);
    return answer(
      c,
      services.every((service) => isAuthorized(store, service, asking)),
    );
  });
  app.post(`${EXTENSION}/service/:id/authorizationcheck`, async (c) => {
    const id = c.req.param('id');
    const asking = askingIn(store, await readDocument(c, PARAMS));
    const service = store.entities.get(id.toLowerCase());
    if (service?.kind !== 'service') throw notFound('externalService', id);
    return answer(c, isAuthorized(store, service, asking));
  });
  return app;
}
