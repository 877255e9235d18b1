/** The programming guide's backup service: what is where, in one list of routes. */
import { type Context, definePlugin, type Env, type Task } from '#sdk';

import { type BackupParams, present, presentList, problem, readParams } from './forms.ts';
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

/** Quick enough to be done before the answer. */
async function createForOrg(request: Request, env: Env, ctx: Context): Promise<Response> {
  const orgId = ctx.params['orgId'] ?? '';
  if (!mayReach(ctx, orgId)) return foreign(request);
  const params = await readParams(request);
  if (!params) return unreadable(request);
  const backup = newBackup(ctx, params, ['org', orgId]);
  await createStore(env.kv).add(backup);
  ctx.waitUntil(report(env, backup));
  return present(request, 201, backup);
}

async function listOfVApp(request: Request, env: Env, ctx: Context): Promise<Response> {
  return presentList(request, await createStore(env.kv).list('vapp', ctx.params['vAppId'] ?? ''));
}

/** Takes its time: the caller gets a task at once, and the work goes on after the answer. */
async function createForVApp(request: Request, env: Env, ctx: Context): Promise<Response> {
  const vAppId = ctx.params['vAppId'] ?? '';
  const params = await readParams(request);
  if (!params) return unreadable(request);
  const backup = newBackup(ctx, params, ['vapp', vAppId]);
  const task = await ctx.task({
    operation: `Backing up vApp ${vAppId}`,
    operationName: 'backupVApp',
    details: backup.name,
  });
  ctx.waitUntil(backUp(env, task, backup));
  return task.accepted(request);
}

/** Whatever goes wrong, the task says so. */
async function backUp(env: Env, task: Task, backup: Backup): Promise<void> {
  try {
    const { cancelRequested } = await task.update({ progress: 50, details: 'Writing the backup' });
    if (cancelRequested) return await task.fail('Cancelled');
    await createStore(env.kv).add(backup);
    await report(env, backup);
    await task.complete(`Backup ${backup.id}`);
  } catch (error) {
    console.error('backup failed', error);
    await task.fail('The backup could not be written');
  }
}

/** An event in the audit trail of the org; a backup is one without it too. */
async function report(env: Env, { id, kind, target }: Backup): Promise<void> {
  const type = 'org/example/vcd/backup/create';
  await env.events
    .emit({ type, properties: { backup: id, kind, target } })
    .catch((error: unknown) => console.warn('no event for the backup', error));
}

async function show(request: Request, env: Env, ctx: Context): Promise<Response> {
  const backup = await createStore(env.kv).get(ctx.params['backupId'] ?? '');
  return backup ? present(request, 200, backup) : missing(request);
}

async function remove(request: Request, env: Env, ctx: Context): Promise<Response> {
  const gone = await createStore(env.kv).remove(ctx.params['backupId'] ?? '');
  return gone ? new Response(null, { status: 204 }) : missing(request);
}

function newBackup(
  ctx: Context,
  { name, description }: BackupParams,
  [kind, target]: [Backup['kind'], string],
): Backup {
  const id = crypto.randomUUID();
  const owner = ctx.caller.user;
  return { id, name, description, kind, target, owner, createdAt: new Date().toISOString() };
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

function unreadable(request: Request): Response {
  return problem(request, 400, 'BAD_REQUEST', 'The body is neither JSON nor XML.');
}
