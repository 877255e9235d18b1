/**
 * Examines whether events come at all, and whether everything that vCloud holds has somebody who decides on it.
 * May import: everything.
 */
import type { Manifest } from '../../bundles/manifest/manifest.ts';
import { subscriptionsOf } from '../../bundles/manifest/notifications.ts';
import type { Config } from '../../config.ts';
import { messageOf } from '../../kernel/errors.ts';
import { readBlockingSettings } from '../../vcloud/blocking-tasks/operations.ts';
import type { VcloudClient } from '../../vcloud/client.ts';
import { hasStatus } from '../../vcloud/errors.ts';
import { failed, ok, skipped, warning, type Finding } from './checkup.ts';

const SETTINGS = '/api/admin/extension/settings';

/** Nothing is asked when no plug-in listens, but for what is held although nobody does. */
export async function examineNotifications(
  { notifications }: Config,
  client: VcloudClient,
  manifests: readonly Manifest[],
): Promise<Finding[]> {
  const hears = manifests.some((manifest) => subscriptionsOf(manifest).length > 0);
  const ask = (check: string, look: () => Promise<Finding>) => guarded(check, look);
  return [
    ...(hears
      ? [
          await ask('notifications.switch', () => examineSwitch(client)),
          await ask('notifications.exchange', () => examineExchange(client, notifications)),
        ]
      : []),
    await ask('blocking-tasks', () => examineHeld(client, manifests)),
  ];
}

async function examineSwitch(client: VcloudClient): Promise<Finding> {
  const check = 'notifications.switch';
  const path = `${SETTINGS}/notifications`;
  const { EnableNotifications } = await client.getXml('NotificationsSettings', path);
  if (EnableNotifications) return ok(check, 'vCloud publishes notifications');
  return failed(
    check,
    'vCloud publishes no notifications: plug-ins that listen hear nothing',
    `enable non-blocking AMQP notifications in vCloud's system settings (${path}, EnableNotifications)`,
  );
}

async function examineExchange(
  client: VcloudClient,
  { exchanges }: Config['notifications'],
): Promise<Finding> {
  const check = 'notifications.exchange';
  const settings = await client.getXml('AmqpSettings', `${SETTINGS}/amqp`);
  const known = [settings.AmqpExchange, `${settings.AmqpPrefix ?? 'vcd'}.notifications20`];
  const strange = exchanges.filter((name) => !known.includes(name));
  if (strange.length === 0) return ok(check, exchanges.join(', '));
  return failed(
    check,
    `vCloud does not publish to ${strange.join(', ')}, but to ${known.join(' (XML) and ')} (JSON)`,
    `set notifications.exchanges to [${known[0]}]`,
  );
}

async function examineHeld(client: VcloudClient, manifests: readonly Manifest[]): Promise<Finding> {
  const check = 'blocking-tasks';
  const wanted = new Set(manifests.flatMap(({ blockingTasks }) => blockingTasks?.operations ?? []));
  const { operations, timeoutMs, timeoutAction } = await readBlockingSettings(client);
  const held = operations.map(({ name }) => name);
  const unheld = [...wanted].filter((name) => !held.includes(name));
  if (unheld.length > 0)
    return warning(check, `vCloud does not hold ${unheld.join(', ')}`, 'vcx register apply');
  const orphans = held.filter((name) => !wanted.has(name));
  const timeout = timeoutMs === null ? '' : `, time-out ${timeoutMs} ms, then ${timeoutAction}`;
  if (orphans.length === 0)
    return ok(check, `${held.length > 0 ? `holds ${held.join(', ')}` : 'holds nothing'}${timeout}`);
  return warning(
    check,
    `vCloud holds ${orphans.join(', ')}, and no plug-in here decides on that${timeout}`,
    `if nobody else does: vcx register release ${orphans.join(' ')}`,
  );
}

async function guarded(check: string, look: () => Promise<Finding>): Promise<Finding> {
  try {
    return await look();
  } catch (error) {
    if (hasStatus(error, 403, 404)) return skipped(check, 'the account may not read the settings');
    return failed(check, messageOf(error), 'see the message, then run `vcx doctor` again');
  }
}
