/**
 * `vcx plugin events …`: the events on which a plug-in was given up.
 * May import: everything.
 */
import type { Command } from 'commander';

import { HostError } from '../../../kernel/errors.ts';
import type {
  EventStatus,
  ParkedDone,
  ParkedEvent,
  ParkedList,
  SubscriptionStatus,
} from '../../../message/events.ts';
import { commandName } from '../sdk.ts';
import type { Answer } from '../run.ts';
import type { Client } from './client.ts';
import type { RemoteOptions } from './endpoint.ts';
import { remote, table, time } from './remote.ts';

/** Makes a command with the options that all have that talk to a running host. */
type MakeCommand = (parent: Command, usage: string, description: string) => Command;

/** Add them below `vcx plugin`. */
export function eventCommands(plugin: Command, command: MakeCommand): void {
  const events = plugin
    .command('events')
    .description('events on which a plug-in failed for good, kept aside until somebody decides');
  command(
    events,
    'status',
    'the queues of all plug-ins: what waits, what is kept, what is missing',
  ).action((options: RemoteOptions) => remote(options, status));
  command(events, 'list <name>', 'what is kept, the oldest first')
    .option('--limit <number>', 'events at most, up to 1000', '100')
    .action((name: string, options: RemoteOptions & { limit: string }) =>
      remote(options, (client) => list(client, name, options.limit)),
    );
  command(events, 'show <name> <id>', 'one of them, without its raw body').action(
    (name: string, id: string, options: RemoteOptions) =>
      remote(options, (client) => show(client, name, id)),
  );
  command(events, 'replay <name> [ids...]', 'hand them to the plug-in again, as if new')
    .option('--all', 'all that are kept')
    .action((name: string, ids: string[], options: RemoteOptions & { all?: boolean }) =>
      remote(options, (client) => settle(client, 'replay', name, choiceOf(ids, options))),
    );
  command(events, 'drop <name> [ids...]', 'throw them away')
    .option('--all', 'all that are kept')
    .action((name: string, ids: string[], options: RemoteOptions & { all?: boolean }) =>
      remote(options, (client) => settle(client, 'drop', name, choiceOf(ids, options))),
    );
}

/** As the API has it: what is wrong with a queue is code and text. */
interface ShownStatus extends Omit<EventStatus, 'subscriptions'> {
  readonly subscriptions: readonly (Omit<SubscriptionStatus, 'problem'> & {
    readonly problem: { readonly code: string; readonly message: string } | null;
  })[];
}

/** Fails when events do not flow: what waits in vain is what one looks for. */
async function status(client: Client): Promise<Answer> {
  const found = await client.get<ShownStatus>('/events');
  const { consuming, reason, subscriptions, orphans } = found;
  const head = ['PLUGIN', 'CONSUMED', 'WAITING', 'IN HAND', 'PARKED', 'REMARKS'];
  const rows = subscriptions.map((one) => [
    one.plugin,
    one.consuming ? 'yes' : 'no',
    countOrNot(one.waiting),
    String(one.unsettled),
    countOrNot(one.parked),
    remarksOf(one),
  ]);
  const text = [
    ...(rows.length > 0 ? table([head, ...rows]) : ['no plug-in listens to events']),
    ...orphans.map((name) => `${name}: its queue fills, but the plug-in is not live`),
    ...(consuming ? [] : [`not all is well: ${reason ?? 'no reason is known'}`]),
  ];
  return { ok: consuming, text, json: { ...found } };
}

function remarksOf({ problem, missing, notes }: ShownStatus['subscriptions'][number]): string {
  const absent = missing.map((name) => `waits for the exchange ${name}, which vCloud makes`);
  const wrong = problem ? [`${problem.code}: ${problem.message}`] : [];
  return [...wrong, ...absent, ...notes].join('; ') || '-';
}

async function list(client: Client, name: string, limit: string): Promise<Answer> {
  const query = new URLSearchParams({ limit });
  const found = await client.get<ParkedList>(`${pathOf(name)}?${query.toString()}`);
  const { events, total } = found;
  const json = { name, ...found };
  if (total === 0) return { ok: true, text: [`nothing of ${name} is kept aside`], json };
  const head = ['ID', 'PARKED', 'TRIES', 'CODE', 'REASON'];
  const rows = events.map(({ id, parkedAt, attempts, code, reason }) => [
    id,
    timeOrNot(parkedAt),
    String(attempts),
    code,
    reason,
  ]);
  const more = total > events.length ? [`${total - events.length} more`] : [];
  const next = `next: ${commandName()} plugin events replay ${name} --all`;
  return { ok: true, text: [...table([head, ...rows]), ...more, next], json };
}

async function show(client: Client, name: string, id: string): Promise<Answer> {
  const found = await client.get<ParkedEvent>(pathOf(name, id));
  const { event, unreadable, code, reason } = found;
  const rows = [
    ['id', found.id],
    ['parked', timeOrNot(found.parkedAt)],
    ['first seen', timeOrNot(found.firstSeenAt)],
    ['tries', String(found.attempts)],
    ['why', `${code}: ${reason}`],
    ['came by', `${found.exchange} ${found.routingKey}`],
    ['body', `${found.bodyBytes} bytes, SHA-256 ${found.bodySha256}`],
    ...(found.kept ? [] : [['', 'not kept: it can not be replayed']]),
    ...(event ? rowsOf(event) : [['event', unreadable ?? 'not readable']]),
  ];
  return { ok: true, text: table(rows), json: { name, ...found } };
}

function rowsOf(event: NonNullable<ParkedEvent['event']>): string[][] {
  const { eventId, type, operationSuccess, timestamp, org, user, entity, extraFields } = event;
  return [
    ['event', eventId],
    ['type', `${type}${operationSuccess ? '' : ' (failed)'}`],
    ['at', time(timestamp)],
    ['org', org.id],
    ['user', user?.id ?? '-'],
    ['entity', entity.id],
    ...(extraFields.length > 0 ? [['more fields', extraFields.join(', ')]] : []),
  ];
}

async function settle(
  client: Client,
  action: 'replay' | 'drop',
  name: string,
  ids: 'all' | readonly string[],
): Promise<Answer> {
  const [method, path] =
    action === 'replay'
      ? (['POST', pathOf(name, 'replay')] as const)
      : (['DELETE', pathOf(name)] as const);
  const { done, failed } = await client.send<ParkedDone>(method, path, { ids });
  const verb = action === 'replay' ? 'replayed' : 'dropped';
  return {
    ok: failed.length === 0,
    text: [`${verb}: ${done}`, ...failed.map(({ id, reason }) => `  ${id}: ${reason}`)],
    json: { name, done, failed },
  };
}

/** Nothing named is not the same as all. */
function choiceOf(ids: readonly string[], { all = false }: { readonly all?: boolean }) {
  if (all === ids.length > 0) throw new HostError('CONFIG_INVALID', 'name ids, or say --all');
  return all ? ('all' as const) : ids;
}

function pathOf(name: string, ...rest: readonly string[]): string {
  return `/events/${[name, ...rest].map(encodeURIComponent).join('/')}`;
}

function countOrNot(count: number | null): string {
  return count === null ? '-' : String(count);
}

function timeOrNot(epochMs: number | null): string {
  return epochMs === null ? '-' : time(epochMs);
}
