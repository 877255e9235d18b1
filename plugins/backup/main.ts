/** The programming guide's backup service: what is where, in one list of routes. */
import { type Context, definePlugin, type Env } from '#sdk';

import { present, presentList, problem, readParams } from './forms.ts';
import { createStore, type Backup } from './store.ts';

type Handler = (request: Request, env: Env, ctx: Context) => Promise<Response>;

const handlers: [method: string, path: RegExp, handler: Handler][] = [
  ['GET', /^\/api\/org\//, listOfOrg],
  ['POST', /^\/api\/org\//, createForOrg],
  ['GET', /^\/api\/vApp\//, listOfVApp],
  ['POST', /^\/api\/vApp\//, createForVApp],
  ['GET', /^\/api\/backup\//, show],
  ['DELETE', /^\/api\/backup\//, remove],
];

export default definePlugin({
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const found = handlers.find(([verb, path]) => verb === method && path.test(pathname));
    return found
      ? found[2](request, env, ctx)
      : problem(request, 404, 'RESOURCE_NOT_FOUND', 'There is nothing here.');
  },
});

async function listOfOrg(request: Request, env: Env, ctx: Context): Promise<Response> {
  const orgId = ctx.params['orgId'] ?? '';
  if (!mayReach(ctx, orgId)) return foreign(request);
  return presentList(request, await createStore(env.kv).list('org', orgId));
}

async function createForOrg(request: Request, env: Env, ctx: Context): Promise<Response> {
  const orgId = ctx.params['orgId'] ?? '';
  return mayReach(ctx, orgId) ? create(request, env, ctx, ['org', orgId]) : foreign(request);
}

async function listOfVApp(request: Request, env: Env, ctx: Context): Promise<Response> {
  return presentList(request, await createStore(env.kv).list('vapp', ctx.params['vAppId'] ?? ''));
}

async function createForVApp(request: Request, env: Env, ctx: Context): Promise<Response> {
  return create(request, env, ctx, ['vapp', ctx.params['vAppId'] ?? '']);
}

async function show(request: Request, env: Env, ctx: Context): Promise<Response> {
  const backup = await createStore(env.kv).get(ctx.params['backupId'] ?? '');
  return backup ? present(request, 200, backup) : missing(request);
}

async function remove(request: Request, env: Env, ctx: Context): Promise<Response> {
  const gone = await createStore(env.kv).remove(ctx.params['backupId'] ?? '');
  return gone ? new Response(null, { status: 204 }) : missing(request);
}

async function create(
  request: Request,
  env: Env,
  ctx: Context,
  [kind, target]: [Backup['kind'], string],
): Promise<Response> {
  const params = await readParams(request);
  if (!params) return problem(request, 400, 'BAD_REQUEST', 'The body is neither JSON nor XML.');
  const backup: Backup = {
    id: crypto.randomUUID(),
    name: params.name,
    description: params.description,
    kind,
    target,
    owner: ctx.caller.user,
    createdAt: new Date().toISOString(),
  };
  await createStore(env.kv).add(backup);
  return present(request, 201, backup);
}

/** A tenant reaches its own org; the provider's administrators reach every org. */
function mayReach(ctx: Context, orgId: string): boolean {
  return ctx.caller.provider || ctx.caller.org === `urn:vcloud:org:${orgId}`;
}

function foreign(request: Request): Response {
  return problem(
    request,
    403,
    'ACCESS_TO_RESOURCE_IS_FORBIDDEN',
    'This organization is not yours.',
  );
}

function missing(request: Request): Response {
  return problem(request, 404, 'RESOURCE_NOT_FOUND', 'There is no such backup.');
}
