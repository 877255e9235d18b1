/**
 * Examines the way to vCloud: reach, sign-in, version, clocks, its AMQP settings, what the account may do.
 * May import: everything.
 */
import type { Config } from '../../config.ts';
import { codeOf, messageOf } from '../../kernel/errors.ts';
import type { VcloudClient } from '../../vcloud/client.ts';
import { hasStatus } from '../../vcloud/errors.ts';
import { failed, ok, skipped, warning, type Finding } from './checkup.ts';

/** The Date header has whole seconds, so less than this says nothing, ms. */
const SKEW_WARN_MS = 2_000;

export async function examineVcloud(config: Config, client: VcloudClient): Promise<Finding[]> {
  const reach = await examineSignIn(config, client);
  if (reach.state === 'failed') return [reach];
  return [
    reach,
    await examineClock(client),
    await examineRole(client),
    await examineSettings(config, client),
  ];
}

async function examineSignIn({ vcloud }: Config, client: VcloudClient): Promise<Finding> {
  const check = 'vcloud.sign-in';
  try {
    const version = await client.connect(AbortSignal.timeout(20_000));
    return ok(check, `${client.origin}, API version ${version}`);
  } catch (error) {
    const fix =
      codeOf(error) === 'VCLOUD_UNAVAILABLE'
        ? `see that ${vcloud.url} is the address of a cell and can be reached from here; for a certificate of your own authority set vcloud.caFile`
        : 'set vcloud.user as name@System with vcloud.passwordFile, or vcloud.apiTokenFile with a token that is not revoked';
    return failed(check, messageOf(error), fix);
  }
}

async function examineClock(client: VcloudClient): Promise<Finding> {
  const check = 'clock';
  const before = Date.now();
  const { headers } = await client.request('GET', '/api/session', { raw: true });
  const after = Date.now();
  const theirs = Date.parse(headers['date'] ?? '');
  if (Number.isNaN(theirs)) return skipped(check, 'vCloud tells no date');
  return judgeClock(theirs, { before, after });
}

/** The header was written somewhere between the two, and cuts off up to a second. */
export function judgeClock(
  theirs: number,
  { before, after }: { readonly before: number; readonly after: number },
): Finding {
  const skew =
    theirs < before - 1_000 ? theirs + 1_000 - before : theirs > after ? theirs - after : 0;
  const seconds = (Math.abs(skew) / 1_000).toFixed(1);
  if (Math.abs(skew) < SKEW_WARN_MS) return ok('clock', 'agrees with that of vCloud');
  return warning(
    'clock',
    `vCloud's clock is ${seconds} s ${skew > 0 ? 'ahead of' : 'behind'} ours: calls may look late`,
    'set both machines to the same time source, for example with chrony',
  );
}

async function examineRole(client: VcloudClient): Promise<Finding> {
  const check = 'vcloud.rights';
  const answer = await client.request('GET', '/api/admin/extension', { raw: true });
  return answer.status === 200
    ? ok(check, 'the account may register services')
    : failed(
        check,
        `the account may not see /api/admin/extension (${answer.status})`,
        'give the account the role System Administrator in the System org',
      );
}

/** The broker that vCloud publishes to should be the one that we listen on. */
async function examineSettings({ amqp }: Config, client: VcloudClient): Promise<Finding> {
  const check = 'vcloud.amqp-settings';
  try {
    const settings = await client.getXml('AmqpSettings', '/api/admin/extension/settings/amqp');
    const replies = settings.AmqpPrefix ? `${settings.AmqpPrefix}.replyExchange` : null;
    if (replies && amqp.replyExchanges.length > 0 && !amqp.replyExchanges.includes(replies))
      return failed(
        check,
        `replies of this vCloud go to ${replies}, which amqp.replyExchanges does not list`,
        `add ${replies} to amqp.replyExchanges, or leave the setting out`,
      );
    const vhosts = [amqp.url, ...amqp.urls].flatMap((url) => (url ? [vhostOf(url)] : []));
    const { AmqpVHost: vhost = '/' } = settings;
    if (vhosts.length > 0 && !vhosts.includes(vhost))
      return failed(
        check,
        `vCloud publishes to the virtual host ${vhost}, vcx listens on ${vhosts.join(', ')}`,
        `set amqp.url to end in /${encodeURIComponent(vhost)}, or change the virtual host in vCloud`,
      );
    return ok(
      check,
      `${settings.AmqpHost}:${settings.AmqpPort}, virtual host ${vhost}, replies to ${replies ?? 'vcd.replyExchange'}`,
    );
  } catch (error) {
    if (hasStatus(error, 403, 404))
      return skipped(check, 'the account may not read them; replies go to amqp.replyExchanges');
    return failed(check, messageOf(error), 'see the message, then run `vcx doctor` again');
  }
}

/** No path means the default one, which is named by a slash. */
function vhostOf(url: string): string {
  return decodeURIComponent(URL.parse(url)?.pathname.slice(1) ?? '') || '/';
}
