/**
 * The host together with a local cloud: what `npm start` runs on a machine with nothing configured.
 * May import: everything.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { readConfig, type Config } from '../config.ts';
import { openHost, type Host } from '../host.ts';
import { createLog } from '../kernel/log.ts';
import { pause } from '../kernel/time.ts';
import { openLocalCloud, type LocalCloud, type LocalCloudInfo } from './local-cloud.ts';
import { untilStopped } from './signals.ts';
import { signIn } from './sign-in.ts';
import { smoke } from './smoke.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Returns the exit code. */
export async function startLocal(isSmoke: boolean): Promise<number> {
  const say = (text: string) => console.log(`vcx: ${text}`);
  const stop = untilStopped();
  say('nothing is configured here, so a local cloud is started to try vcx on');
  try {
    await using cloud = await openLocalCloud(say, stop.signal);
    say(
      `simulated cell at ${cloud.info.cells[0]?.url}; RabbitMQ at ${withoutPassword(cloud.info.amqpUrl)}`,
    );
    await using host = await openLocalHost(cloud.info);
    await untilReady(host, say, stop.signal);
    if (stop.signal.aborted) return 0;
    if (isSmoke) return await smoke(cloud, host, stop.signal);
    await printWhatToType(cloud, host);
    await stop.requested;
    say('stopping: calls in flight are finished, then everything that was started is ended');
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return 0;
    throw error;
  }
}

async function openLocalHost(info: LocalCloudInfo): Promise<Host> {
  const config = localConfig(info);
  const log = createLog({ level: config.log.level, write: (line) => process.stderr.write(line) });
  try {
    return await openHost(config, { log });
  } catch (error) {
    // Another vcx on this machine has the usual port: here any other will do.
    if (!String(error).includes('EADDRINUSE')) throw error;
    return openHost({ ...config, operator: { ...config.operator, port: 0 } }, { log });
  }
}

function localConfig(info: LocalCloudInfo): Config {
  const config = readConfig({ VCX_LOG_LEVEL: 'warn', ...ownSettings(process.env) }, ROOT);
  return {
    ...config,
    source: 'local cloud',
    stateDir: join(cacheFolder(), 'local'),
    amqp: { ...config.amqp, url: info.amqpUrl },
    vcloud: {
      ...config.vcloud,
      url: info.cells[0]?.url,
      user: info.provider.user,
      password: info.provider.password,
    },
  };
}

function ownSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('VCX_')));
}

function cacheFolder(): string {
  const { VCX_CACHE_DIR, XDG_CACHE_HOME } = process.env;
  return VCX_CACHE_DIR ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'vcx');
}

async function untilReady(
  host: Host,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let last = '';
  for (;;) {
    const report = host.health();
    if (report.ready || signal.aborted) return;
    const reasons = Object.entries(report.dependencies)
      .filter(([, dependency]) => !dependency.ok)
      .map(([name, dependency]) => `${name}: ${dependency.reason}`);
    const text = `waiting for ${reasons.join('; ')}`;
    if (text !== last) say(text);
    last = text;
    await pause(50, signal);
  }
}

async function printWhatToType({ info }: LocalCloud, host: Host): Promise<void> {
  const cell = info.cells[0]?.url ?? '';
  const org = info.orgs[0];
  const user = org?.users.find((candidate) => candidate.rights === 'all');
  if (!org || !user) return;
  const token = await signIn(cell, `${user.name}@${org.name}`, user.password);
  const bare = org.id.split(':').at(-1);
  const auth = `-H 'x-vcloud-authorization: ${token}'`;
  console.log(
    [
      '',
      `Ready. In another terminal, as ${user.name} of the org ${org.name}:`,
      '',
      `  curl -s ${auth} '${cell}/api/hello?name=you'`,
      `  curl -s ${auth} -X POST -d '{"name":"first"}' '${cell}/api/org/${bare}/backups'`,
      `  curl -s ${auth} '${cell}/api/org/${bare}/backups'`,
      '',
      `Health: curl -s ${host.operatorUrl}/readyz`,
      `All:    curl -s -H "Authorization: Bearer $(cat ${host.tokenFile})" ${host.operatorUrl}/status`,
      '',
      'Other users (password in brackets):',
      ...info.orgs.flatMap(({ name, users }) =>
        users.map((one) => `  ${one.name}@${name} [${one.password}]: ${RIGHTS[one.rights]}`),
      ),
      `  ${info.provider.user} [${info.provider.password}]: system administrator`,
      '',
      'Ctrl-C stops all of it.',
    ].join('\n'),
  );
}

const RIGHTS = {
  all: 'all rights of the plug-ins',
  view: 'only the rights to view',
  none: 'no rights of the plug-ins',
};

function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@]*@/, '//');
}
