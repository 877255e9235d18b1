/**
 * `vcx start`: the real host when it is configured, else the host with a local cloud to try it on.
 * May import: everything.
 */
import { isConfigured, readConfig } from '../config.ts';
import { openHost } from '../host.ts';
import { HostError } from '../kernel/errors.ts';
import { createLog } from '../kernel/log.ts';
import { startLocal } from './local.ts';
import { untilStopped } from './signals.ts';

export async function start(options: { smoke?: boolean }): Promise<number> {
  if (!isConfigured(process.env, process.cwd())) return startLocal(options.smoke ?? false);
  if (options.smoke)
    throw new HostError(
      'CONFIG_INVALID',
      '--smoke tries vcx on a local cloud, but a real one is configured here (vcx.yaml or VCX_*); run it in another folder',
    );
  const config = readConfig(process.env, process.cwd());
  if (!config.amqp.url && config.amqp.urls.length === 0)
    throw new HostError('CONFIG_INVALID', 'amqp.url: missing; set it in vcx.yaml or VCX_AMQP_URL');
  const log = createLog({ level: config.log.level });
  const stop = untilStopped();
  await using host = await openHost(config, { log });
  log.info('host.started', { operator: host.operatorUrl, config: config.source });
  await stop.requested;
  log.info('host.draining', { drainMs: config.drainMs });
  return 0;
}
