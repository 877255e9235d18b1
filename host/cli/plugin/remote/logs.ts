/**
 * `vcx plugin logs`: what a plug-in said lately and what its calls cost; with `--follow` as it happens.
 * May import: everything.
 */
import { once } from 'node:events';

import type { LogLine } from '../../../bundles/live/logbook.ts';
import { codeOf, type Code } from '../../../kernel/errors.ts';
import { printable, printableJson } from '../../../kernel/printable.ts';
import { backoffMs, pause } from '../../../kernel/time.ts';
import { untilStopped } from '../../signals.ts';
import { figuresOf } from '../figures.ts';
import type { Answer } from '../run.ts';
import type { Client } from './client.ts';
import type { RemoteOptions } from './endpoint.ts';
import { openClient, orgId, pluginPath } from './remote.ts';

export interface LogsOptions extends RemoteOptions {
  readonly org?: string;
  readonly follow?: boolean;
  readonly lines: number;
}

export async function logs(client: Client, name: string, options: LogsOptions): Promise<Answer> {
  if (options.follow) return follow(name, options);
  const path = `${pluginPath(name, 'logs')}?${queryOf(options).toString()}`;
  const { lines } = await client.get<{ lines: LogLine[] }>(path);
  return { ok: true, text: lines.map(logText), json: { lines } };
}

/** One line for people; what the guest wrote is escaped. */
export function logText({ at, kind, level, org, text, call }: LogLine): string {
  const bare = org.split(':').at(-1) ?? '';
  const head = `${new Date(at).toISOString()} ${kind === 'call' ? 'CALL ' : level.toUpperCase().padEnd(5)} ${bare.slice(0, 8)}`;
  if (!call) return printable(`${head} ${text}`);
  const { method, path, status } = call;
  return printable(`${head} ${method} ${path} ${status}, ${figuresOf(call, text).join(', ')}`);
}

/** How far it was read, and in the life of which host. */
interface Cursor {
  instance: string;
  after: number;
}

/** Codes after which another try may do better: the host is away, or starting again. */
const PASSING = new Set<Code>(['OPERATOR_UNAVAILABLE', 'OPERATOR_BUSY', 'CONFIG_INVALID']);
const RETRY = { firstMs: 200, maxMs: 2_000 };

/** Until a signal, or a refusal that stays. The address is looked up anew for every try. */
async function follow(name: string, options: LogsOptions): Promise<Answer> {
  const stop = new AbortController();
  // Whoever read our output is gone.
  process.stdout.once('error', () => stop.abort());
  const signal = AbortSignal.any([untilStopped().signal, stop.signal]);
  const cursor: Cursor = { instance: '', after: 0 };
  let failures = 0;
  const onOpen = (instance: string) => {
    if (failures > 0) console.error('vcx: connected again');
    failures = 0;
    cursor.instance = instance;
  };
  while (!signal.aborted) {
    try {
      await followOnce(name, { options, cursor, signal, onOpen });
    } catch (error) {
      if (signal.aborted) break;
      const isFirst = cursor.instance === '';
      if (isFirst || !PASSING.has(codeOf(error))) throw error;
    }
    if (signal.aborted) break;
    if (failures === 0) console.error('vcx: the connection was lost; trying again …');
    await pause(backoffMs(failures++, RETRY), signal);
  }
  return { ok: true, silent: true, text: [], json: {} };
}

interface Following {
  readonly options: LogsOptions;
  readonly cursor: Cursor;
  readonly signal: AbortSignal;
  readonly onOpen: (instance: string) => void;
}

async function followOnce(
  name: string,
  { options, cursor, signal, onOpen }: Following,
): Promise<void> {
  const query = queryOf(options);
  query.set('follow', '1');
  if (cursor.instance !== '') {
    query.set('instance', cursor.instance);
    query.set('after', String(cursor.after));
  }
  const path = `${pluginPath(name, 'logs')}?${query.toString()}`;
  for await (const text of openClient(options).lines(path, { signal, onOpen })) {
    if (text === '') continue;
    const line = JSON.parse(text) as LogLine | { dropped: number };
    if ('id' in line) cursor.after = line.id;
    await print(options.json ? printableJson(text) : textOf(line), signal);
  }
}

function textOf(line: LogLine | { dropped: number }): string {
  return 'dropped' in line
    ? `… ${line.dropped} lines came too fast and were left out`
    : logText(line);
}

/** At the reader's pace. */
async function print(text: string, signal: AbortSignal): Promise<void> {
  if (process.stdout.write(`${text}\n`)) return;
  await once(process.stdout, 'drain', { signal }).catch(() => undefined);
}

function queryOf({ org, lines }: LogsOptions): URLSearchParams {
  const query = new URLSearchParams({ limit: String(lines) });
  if (org !== undefined) query.set('org', orgId(org));
  return query;
}
