/**
 * Tries AMQP settings out against the broker that they name.
 * May import: amqplib.
 */
import { connect } from 'amqplib';

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
  readonly vhost: string;
  readonly username: string;
  readonly password: string;
  readonly ssl: boolean;
}

const TIMEOUT_MS = 5_000;

/** Undefined when one can sign in there, else what is in the way. */
export async function checkBroker(address: BrokerAddress): Promise<string | undefined> {
  const { host, port, vhost, username, password, ssl } = address;
  try {
    const connection = await connect(
      { protocol: ssl ? 'amqps' : 'amqp', hostname: host, port, vhost, username, password },
      { timeout: TIMEOUT_MS },
    );
    connection.on('error', () => undefined);
    await connection.close();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message || error.name : String(error);
  }
}
