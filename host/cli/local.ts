/**
 * The host together with a local cloud: what `npm start` runs on a machine with nothing configured.
 * May import: everything.
 */
import { fileURLToPath } from 'node:url';

import { readConfig, type Config } from '../config.ts';
import { openHost, type Host } from '../host.ts';
import { createLog } from '../kernel/log.ts';
import { pause } from '../kernel/time.ts';
import { localStateDir, withPathsFrom } from './folders.ts';
import { openLocalCloud, type LocalCloudInfo } from './local-cloud.ts';
import { callLines, userLines, withoutPassword } from './local-lines.ts';
import { commandName } from './plugin/sdk.ts';
import { untilStopped } from './signals.ts';
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
    console.log((await whatToType(cloud.info, host)).join('\n'));
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

/** For a host of this cloud; the environment may set anything else, and so may a vcx.yaml in the folder. */
export function localConfig(
  info: LocalCloudInfo,
  {
    env = process.env,
    cwd = ROOT,
  }: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Config {
  const config = readConfig({ VCX_LOG_LEVEL: 'warn', ...ownSettings(env) }, cwd);
  return {
    ...config,
    source: 'local cloud',
    stateDir: localStateDir(process.env),
    // Whoever may reach this host's operator endpoint may try a bundle on it.
    plugins: { ...config.plugins, allowUnsigned: true },
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
  const given = Object.entries(withPathsFrom(process.cwd(), env));
  return Object.fromEntries(given.filter(([name]) => name.startsWith('VCX_')));
}

/** Says what it waits for, whenever that changes. */
export async function untilReady(
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

async function whatToType(info: LocalCloudInfo, host: Host): Promise<readonly string[]> {
  const operator = `--operator ${host.operatorUrl}`;
  return [
    ...(await callLines(info)),
    '',
    `Health: curl -s ${host.operatorUrl}/readyz`,
    `All:    curl -s -H "Authorization: Bearer $(cat ${host.tokenFile})" ${host.operatorUrl}/status`,
    `Yours:  ${commandName()} plugin new mine --yes`,
    `        ${commandName()} plugin deploy mine ${operator} --token-file ${host.tokenFile}`,
    '',
    ...userLines(info),
    '',
    'Ctrl-C stops all of it.',
  ];
}
