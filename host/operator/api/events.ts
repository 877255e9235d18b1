/**
 * `/events`: how the plug-ins' queues are; `/events/NAME`: the events on which a plug-in was given up, to be looked at, handed to it again or thrown away.
 * May import: kernel and everything below operator.
 *
 * The operator's alone: a queue goes by the name of its plug-in, and may hold events of orgs for which another plug-in
 * had that name before.
 */
import { Hono, type Context } from 'hono';
import { z } from 'zod';

import { HostError } from '../../kernel/errors.ts';
import type {
  EventStatus,
  ParkedDone,
  ParkedEvents,
  SubscriptionStatus,
} from '../../message/events.ts';
import type { ChangeLog } from '../../storage/changes.ts';
import { operatorOnly, type ApiEnv } from '../identify.ts';
import { createGate } from './gate.ts';
import { bodyOf, pluginOf, queryOf } from './input.ts';

export interface EventsSource {
  readonly parked: ParkedEvents;
  readonly status: () => EventStatus;
  /** Who replayed or dropped what is written down. */
  readonly changes: Pick<ChangeLog, 'record'>;
}

const listSchema = z.strictObject({
  limit: z.coerce.number().pipe(z.int().min(1).max(1_000)).default(100),
});
const idSchema = z.string().regex(/^[A-Za-z0-9-]{1,64}$/, 'an id as the list has it');
const choiceSchema = z.strictObject({
  ids: z.union([z.literal('all'), z.array(idSchema).min(1).max(1_000)], {
    error: '"all", or a list of up to 1000 ids',
  }),
});

/** Each look goes through the whole queue. */
const LOOKS = { each: 4, owners: 8 } as const;

export function eventRoutes({ parked, status, changes }: EventsSource): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.use(operatorOnly());
  const gate = createGate(LOOKS);

  async function change(
    c: Context<ApiEnv>,
    action: 'replay' | 'drop',
    act: (plugin: string, ids: 'all' | readonly string[]) => Promise<ParkedDone>,
  ): Promise<Response> {
    const plugin = pluginOf(c);
    const { ids } = await bodyOf(c, choiceSchema);
    using _place = gate.enter(c.var.caller);
    const result = await act(plugin, ids);
    if (result.done === 0 && result.failed.length === 0) mustListen(status(), plugin);
    const { who } = c.var.caller;
    const subject = `${result.done} parked events`;
    if (result.done > 0) await changes.record({ who, action: `events.${action}`, plugin, subject });
    return c.json(result);
  }

  app.get('/', (c) => {
    const { subscriptions, ...rest } = status();
    return c.json({ ...rest, subscriptions: subscriptions.map(shown) });
  });
  app.get('/:name', async (c) => {
    const plugin = pluginOf(c);
    const options = queryOf(c, listSchema);
    using _place = gate.enter(c.var.caller);
    const list = await parked.list(plugin, options);
    if (list.total === 0) mustListen(status(), plugin);
    return c.json(list);
  });
  app.get('/:name/:id', async (c) => {
    const plugin = pluginOf(c);
    using _place = gate.enter(c.var.caller);
    const found = await parked.read(plugin, c.req.param('id'));
    if (!found) throw new HostError('OPERATOR_NOT_FOUND', 'no event of this id is parked');
    return c.json(found);
  });
  app.post('/:name/replay', (c) => change(c, 'replay', (...what) => parked.replay(...what)));
  app.delete('/:name', (c) => change(c, 'drop', (...what) => parked.drop(...what)));
  return app;
}

/** Nothing is parked for it: good news, unless its name is mistyped. */
function mustListen({ subscriptions, orphans }: EventStatus, plugin: string): void {
  if (subscriptions.some((one) => one.plugin === plugin) || orphans.includes(plugin)) return;
  throw new HostError('OPERATOR_NOT_FOUND', `no plug-in ${plugin} listens to events`);
}

/** What is wrong as code and text. */
function shown({ problem, ...rest }: SubscriptionStatus) {
  return { ...rest, problem: problem && { code: problem.code, message: problem.message } };
}
