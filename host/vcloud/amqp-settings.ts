/**
 * What vCloud tells of its own AMQP settings.
 * May import: vcloud.
 */
import type { VcloudClient } from './client.ts';
import { VcloudError } from './errors.ts';

const PATH = '/api/admin/extension/settings/amqp';

/**
 * Name of the exchange for replies, by the prefix in vCloud's settings. Null when the settings can't be read
 * or have no prefix, as for an account without that right; throws only when vCloud can't be reached.
 */
export async function readReplyExchange(client: VcloudClient): Promise<string | null> {
  try {
    const { AmqpPrefix } = await client.getXml('AmqpSettings', PATH);
    return AmqpPrefix ? `${AmqpPrefix}.replyExchange` : null;
  } catch (error) {
    if (error instanceof VcloudError && error.code === 'VCLOUD_REFUSED') return null;
    throw error;
  }
}
