/**
 * `vcx start`: the real host when it is configured, else the host with a local cloud to try it on.
 * May import: everything.
 */
import { type Config, isConfigured, readConfig } from '../config.ts';
import { openHost } from '../host.ts';
import { codeOf, HostError } from '../kernel/errors.ts';
import { createLog } from '../kernel/log.ts';
import { startLocal } from './local.ts';
import { startLocalHosts } from './local-hosts.ts';
import { untilStopped } from './signals.ts';

export interface StartOptions {
  readonly smoke?: boolean;
  /** Of a local cloud. */
  readonly hosts?: number;
  /** Ends when standard input does, as a host that another process started and may leave by dying. */
  readonly child?: boolean;
}

export async function start(options: StartOptions): Promise<number> {
  if (!isConfigured(process.env, process.cwd()))
    return (options.hosts ?? 1) > 1
      ? startLocalHosts(options.hosts ?? 1)
      : startLocal(options.smoke ?? false);
  if (options.hosts !== undefined)
    throw new HostError(
      'CONFIG_INVALID',
      '--hosts starts hosts on a local cloud, but a real one is configured here; for several real hosts set cluster.servers and start each',
    );
  if (options.smoke)
    throw new HostError(
      'CONFIG_INVALID',
      '--smoke tries vcx on a local cloud, but a real one is configured here (vcx.yaml or VCX_*); run it in another folder',
    );
  const config = readConfig(process.env, process.cwd());
  if (!config.amqp.url && config.amqp.urls.length === 0)
    throw new HostError('CONFIG_INVALID', 'amqp.url: missing; set it in vcx.yaml or VCX_AMQP_URL');
  return serve(config, options.child ?? false);
}

async function serve(config: Config, child: boolean): Promise<number> {
  const log = createLog({ level: config.log.level });
  const stop = untilStopped();
  if (child) process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM')).resume();
  const opened = await openHost(config, { log, stop: stop.signal }).catch((error: unknown) => {
    if (stop.signal.aborted && codeOf(error) === 'CLUSTER_UNAVAILABLE') return null;
    throw error;
  });
  if (!opened) return 0;
  await using host = opened;
  log.info('host.started', { operator: host.operatorUrl, config: config.source });
  await stop.requested;
  log.info('host.draining', { drainMs: config.drainMs });
  return 0;
}
