/**
 * The host in a process of its own, as the operator starts it; tells its lag and memory over IPC.
 * May import: host.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';

import { readConfig } from '../../host/config.ts';
import { openHost } from '../../host/host.ts';
import { createLog } from '../../host/kernel/log.ts';
import type { HostLook } from './peers.ts';

const config = readConfig(process.env, process.cwd());
const write = (line: string): void => void process.stderr.write(line);
const host = await openHost(config, { log: createLog({ level: config.log.level, write }) });
while (!host.health().ready) await new Promise((resolve) => setTimeout(resolve, 20));

const lag = monitorEventLoopDelay({ resolution: 5 });
process.on('message', (order: 'watch' | 'look') => {
  if (order === 'watch') {
    lag.reset();
    lag.enable();
    return;
  }
  lag.disable();
  const ms = (nanoseconds: number): number => nanoseconds / 1e6;
  const look: HostLook = {
    lagP99Ms: ms(lag.percentile(99)),
    lagMaxMs: ms(lag.max),
    rssMb: process.memoryUsage().rss / 1_048_576,
  };
  process.send?.(look);
});
process.on('disconnect', () => {
  void Promise.resolve(host[Symbol.asyncDispose]()).finally(() => process.exit());
});
process.send?.('ready');
