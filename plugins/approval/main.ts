/** Holds every new vApp until it is clear that the organization has room for it. */
import { definePlugin, type Env } from '#sdk';

const DEFAULT_QUOTA = 10;
const PAGE = 128;

export default definePlugin({
  /**
   * vCloud waits for the decision. A throw is no decision: the event comes again, and if it stays without one, vcx
   * does what `blockingTasks.onFailure` says. Here that is `resume`, since a broken count should not stop anybody's work.
   */
  async notification(event, env, ctx) {
    const task = ctx.blockingTask;
    if (!task) return;
    const quota = quotaOf(env);
    // Of several that wait at once, those that were asked for first get the room.
    const earlier = await countVApps(env, { before: event.taskOwner?.id, enough: quota });
    if (earlier < quota) await task.resume(`vApp ${earlier + 1} of ${quota}`);
    else await task.abort(`The organization has its ${quota} vApps; delete one, or ask for more`);
  },

  async fetch(_request, env, ctx) {
    const mine = `urn:vcloud:org:${ctx.params['orgId']}` === ctx.caller.org;
    if (!mine)
      return Response.json({ message: 'This organization is not yours.' }, { status: 403 });
    const quota = quotaOf(env);
    const used = await countVApps(env, { enough: quota });
    return Response.json({ quota, used, full: used >= quota });
  },
});

/** The host has checked the configuration against the schema in plugin.json. */
function quotaOf(env: Env): number {
  return (env.config as { vApps?: number } | null)?.vApps ?? DEFAULT_QUOTA;
}

/** All, or those made before the one of this URN, which stands in the list already; no further than is of interest. */
async function countVApps(
  env: Env,
  { before, enough }: { before?: string | undefined; enough: number },
): Promise<number> {
  const id = before?.split(':').at(-1);
  let count = 0;
  for (let page = 1; count < enough; page += 1) {
    const wish = { page, pageSize: PAGE, sortAsc: 'creationDate' };
    const { records } = await env.vcloud.query('vApp', wish);
    const own = id === undefined ? -1 : records.findIndex(({ href }) => href?.endsWith(id));
    if (own >= 0) return count + own;
    count += records.length;
    if (records.length < PAGE) break;
  }
  return count;
}
