/**
 * The configuration that a command is about.
 * May import: everything.
 */
import { isConfigured, readConfig, type Config } from '../config.ts';
import { HostError } from '../kernel/errors.ts';

/** The configuration; throws CONFIG_INVALID where there is none, since a local cloud is nobody's to examine. */
export function configured(): Config {
  const { env } = process;
  if (!isConfigured(env, process.cwd()))
    throw new HostError(
      'CONFIG_INVALID',
      'there is no vcx.yaml here and no VCX_AMQP_URL or VCX_VCLOUD_URL; `vcx start` on a local cloud registers by itself',
    );
  return readConfig(env, process.cwd());
}
