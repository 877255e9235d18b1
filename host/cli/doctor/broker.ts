/**
 * Examines the broker: whether it can be reached, whose account that is, and every exchange, queue and binding.
 * May import: everything.
 */
import type { Broker, TopologyEntry } from '../../broker/broker.ts';
import { queueOf } from '../../broker/options.ts';
import type { Manifest } from '../../bundles/manifest/manifest.ts';
import { subscriptionsOf } from '../../bundles/manifest/notifications.ts';
import type { Config } from '../../config.ts';
import { messageOf } from '../../kernel/errors.ts';
import { openTopology } from '../installation.ts';
import { failed, ok, skipped, warning, type Finding } from './checkup.ts';

export async function examineBroker(
  config: Config,
  manifests: readonly Manifest[],
): Promise<{ findings: Finding[]; topology: readonly TopologyEntry[] }> {
  const [url] = [...(config.amqp.url ? [config.amqp.url] : []), ...config.amqp.urls];
  if (url === undefined)
    return {
      findings: [failed('broker', 'no broker is configured', 'set amqp.url, or VCX_AMQP_URL')],
      topology: [],
    };
  const account = examineAccount(url);
  let broker: Broker;
  try {
    broker = await openTopology(config, manifests);
  } catch (error) {
    const fix = `see that ${hostOf(url)} runs RabbitMQ and takes this user, password and virtual host`;
    return { findings: [account, failed('broker', messageOf(error), fix)], topology: [] };
  }
  await using stack = new AsyncDisposableStack();
  stack.use(broker);
  const topology = broker.topologyReport();
  return {
    findings: [
      ok('broker', hostOf(url)),
      account,
      ...topology.map(judgeEntry),
      ...(await examineEvents(broker, config, manifests)),
      permissions(config, manifests),
    ],
    topology,
  };
}

/** Whether events can come by the broker at all, and whether some were given up on. */
async function examineEvents(
  { events }: Broker,
  { notifications }: Config,
  manifests: readonly Manifest[],
): Promise<Finding[]> {
  const hearing = manifests.filter((manifest) => subscriptionsOf(manifest).length > 0);
  if (hearing.length === 0) return [];
  const check = 'broker.notifications';
  const { exchanges } = notifications;
  try {
    const missing = await events.missingOf(exchanges);
    const found = missing.map((name) =>
      failed(
        check,
        `there is no exchange ${name}: the host waits for it, and plug-ins hear nothing by it`,
        'vCloud makes it, vcx never does: turn notifications on there, or set notifications.exchanges to what vCloud has',
      ),
    );
    for (const { name } of hearing) {
      const { total } = await events.parked.list(name, { limit: 1 });
      const text = `events for ${name} that were given up on, and are kept: ${total}`;
      if (total > 0) found.push(warning('events.parked', text, `vcx plugin events list ${name}`));
    }
    return missing.length > 0 ? found : [ok(check, exchanges.join(', ')), ...found];
  } catch (error) {
    return [failed(check, messageOf(error), 'see the message, then run `vcx doctor` again')];
  }
}

/** Whoever may publish to a service's exchange can be anybody: the account that everybody knows is not for that. */
export function examineAccount(url: string): Finding {
  const check = 'broker.account';
  const { username = '', password = '' } = URL.parse(url) ?? {};
  if ((username || 'guest') !== 'guest') return ok(check, `user ${decodeURIComponent(username)}`);
  const known = password === '' || password === 'guest';
  return warning(
    check,
    `user guest${known ? ' with the password that everybody knows' : ''}: whoever may publish to a service's exchange can pose as any tenant`,
    `rabbitmqctl add_user vcx <password> && rabbitmqctl set_permissions vcx '<configure>' '<write>' '<read>' with the patterns below, another user for vCloud, then rabbitmqctl delete_user guest`,
  );
}

export function judgeEntry({ what, name, state, detail, of }: TopologyEntry): Finding {
  const check = `broker.${what}`;
  const where = `${name} (${of})`;
  switch (state) {
    case 'problem':
      return failed(check, `${where}: ${detail}`, fixOf(what, name));
    case 'differs':
      return warning(check, `${where}: ${detail}`, fixOf(what, name));
    case 'unchecked':
      return skipped(check, `${where}: ${detail}`);
    default:
      return ok(check, `${where}: ${state === 'made' ? 'was missing and is made' : 'as expected'}`);
  }
}

function fixOf(what: TopologyEntry['what'], name: string): string {
  switch (what) {
    case 'exchange':
      return `give the service another exchange in plugin.json, or, when nobody else uses it: rabbitmqadmin delete exchange name='${name}', then vcx makes it as direct and durable`;
    case 'queue':
      return `while no message waits in it: rabbitmqctl delete_queue '${name}', then vcx makes it anew`;
    default:
      return `let vcx's user configure and write the queue and read the exchange, or bind it yourself: ${name}`;
  }
}

/** The exact patterns that vcx's own user needs, and no more. */
function permissions({ amqp, notifications }: Config, manifests: readonly Manifest[]): Finding {
  const replies = amqp.replyExchanges.length > 0 ? amqp.replyExchanges : ['vcd.replyExchange'];
  const pattern = (first: string, names: readonly string[]) =>
    `^(${[first, ...new Set(names.map(escapeRegExp))].join('|')})$`;
  // Its own names begin with `vcx.`, canary queues with a random end among them.
  const ours = String.raw`vcx\..*`;
  const exchanges = manifests.map(({ vcloud }) => vcloud.exchange);
  const others = [...manifests.map(({ vcloud }) => queueOf(vcloud)), amqp.deadLetter].filter(
    (name) => !name.startsWith('vcx.'),
  );
  const configure = pattern(ours, [...others, ...exchanges]);
  const write = pattern(ours, [...others, ...exchanges, ...replies]);
  const hears = manifests.some((manifest) => subscriptionsOf(manifest).length > 0);
  const events = hears ? notifications.exchanges : [];
  const read = pattern(ours, [...others, ...exchanges, ...events]);
  return ok(
    'broker.permissions',
    `vcx needs configure '${configure}' write '${write}' read '${read}'`,
  );
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

function hostOf(url: string): string {
  return URL.parse(url)?.host ?? 'the broker';
}
