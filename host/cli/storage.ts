/**
 * `vcx storage migrate`: what is kept moves from the SQLite of this machine to NATS, or back.
 * May import: everything.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { type Command, Option } from 'commander';

import type { MoveProgress, MoveResult } from '../cluster/migrate.ts';
import type { Config } from '../config.ts';
import { HostError } from '../kernel/errors.ts';
import { printable } from '../kernel/printable.ts';
import { TOKEN_FILE } from '../operator/token.ts';
import { URL_FILE } from '../operator/url-file.ts';
import { configured } from './configured.ts';
import { sendRequest } from './plugin/remote/http.ts';
import { answer, type Answer, type CommonOptions, type Progress } from './plugin/run.ts';
import { commandName } from './plugin/sdk.ts';
import { untilStopped } from './signals.ts';

interface MigrateOptions extends CommonOptions {
  readonly to: 'nats' | 'sqlite';
  readonly yes?: boolean;
  readonly force?: boolean;
}

/** Add `vcx storage`. */
export function storageCommands(program: Command): void {
  const storage = program.command('storage').description('where the host keeps what it keeps');
  storage
    .command('migrate')
    .description(
      'copy what is kept to NATS, or back to SQLite, while no host runs; can be interrupted and run again',
    )
    .addOption(
      new Option('--to <store>', 'where to').choices(['nats', 'sqlite']).makeOptionMandatory(),
    )
    .option('-y, --yes', 'do it; without it, only say what would be copied')
    .option('--force', 'also while hosts run: what they change meanwhile may be lost')
    .option('--json', 'answer in JSON')
    .action((options: MigrateOptions) => answer(options, (progress) => migrate(options, progress)));
}

async function migrate(options: MigrateOptions, progress: Progress): Promise<Answer> {
  const { to, yes = false, force = false } = options;
  const config = configured();
  if (config.cluster.servers.length === 0)
    throw new HostError(
      'CONFIG_INVALID',
      'cluster.servers: missing: it says which NATS is meant, also for the way back',
    );
  if (!force && (await hostRuns(config)))
    throw new HostError(
      'CONFIG_INVALID',
      `a host runs on ${config.stateDir}: end it first, or say --force and lose what it changes meanwhile`,
    );
  const { signal } = untilStopped();
  progress.show('connecting to NATS');
  // Without this command none of what talks to NATS is loaded.
  const { openStores } = await import('./storage-stores.ts');
  const { migrateStorage } = await import('../cluster/migrate.ts');
  await using stores = await openStores(config, to, signal);
  if (!force) refuseHosts(await stores.hosts());
  const [from, target] =
    to === 'nats' ? [stores.sqlite, stores.nats] : [stores.nats, stores.sqlite];
  const there = await target.count();
  if (!yes) return plan(options, { from: from.title, items: await from.count(), there });
  const onProgress = ({ done, total }: MoveProgress) =>
    progress.show(`${from.title} to ${target.title}: ${done} of ${total}`, done / (total || 1));
  const result = await migrateStorage(from, target, { onProgress, signal });
  return report(options, { ...result, from: from.title, there, now: await target.count() });
}

interface Plan {
  readonly from: string;
  readonly items: number;
  /** Items that the target has already. */
  readonly there: number;
}

function plan({ to }: MigrateOptions, { from, items, there }: Plan): Answer {
  return {
    ok: true,
    text: [
      `about ${items} items would be copied from ${from}`,
      there === 0
        ? 'the target is empty'
        : `the target holds about ${there} already: those of the same name are replaced, others stay`,
      `next: ${commandName()} storage migrate --to ${to} --yes`,
    ],
    json: { to, from, migrated: false, items, there },
  };
}

interface Report extends MoveResult {
  readonly from: string;
  /** Items that the target had before, and has now. */
  readonly there: number;
  readonly now: number;
}

function report({ to }: MigrateOptions, moved: Report): Answer {
  const { done, total, written, complete, there, now, from } = moved;
  const json = { to, from, migrated: complete, done, total, written, there, now };
  if (!complete)
    return {
      ok: false,
      text: [
        `interrupted: ${done} of about ${total} items are there, nothing is lost`,
        `next: ${commandName()} storage migrate --to ${to} --yes goes on`,
      ],
      json,
    };
  const others =
    there > 0 && now > done ? ['the target was not empty: what only it had stays there'] : [];
  const next =
    to === 'nats'
      ? 'start the hosts with cluster.servers set'
      : 'take cluster.servers out of the configuration, leave secrets as it is, and start the host';
  return {
    ok: true,
    text: [
      `${done} items of ${from} are there (${written} written, ${done - written} were there)`,
      ...others,
      `${from} is left as it was`,
      `next: ${next}`,
    ],
    json: { ...json, next },
  };
}

/** A host that says nothing for so long, ms, is there all the same. */
const ASK_MS = 3_000;

/**
 * Whether the host that wrote its address into this state folder is there: who takes the token of this folder is
 * it, and not another host that has its port by now.
 */
async function hostRuns({ stateDir }: Config): Promise<boolean> {
  const [address, token] = [URL_FILE, TOKEN_FILE].map((name) => contentOf(join(stateDir, name)));
  const url = URL.parse(address ?? '');
  if (!url) return false;
  const asked = { method: 'GET', path: '/api/v1/me', silenceMs: ASK_MS };
  try {
    const response = await sendRequest({ url, token: token ?? '' }, asked);
    response.destroy();
    return response.statusCode !== 401;
  } catch (error) {
    // Only a connection that could not be made has a code of the system.
    const { cause } = error as Error;
    return !(cause instanceof Error && 'code' in cause);
  }
}

function contentOf(file: string): string | null {
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : null;
}

function refuseHosts(names: readonly string[]): void {
  if (names.length === 0) return;
  throw new HostError(
    'CONFIG_INVALID',
    `hosts run on this NATS: ${names.map(printable).join(', ')}: end them first, or say --force and lose what they change meanwhile`,
  );
}
