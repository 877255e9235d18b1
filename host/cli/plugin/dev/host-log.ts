/**
 * The host's log, turned into what an author wants to see of it.
 * May import: kernel.
 */
import { CODES, type Code } from '../../../kernel/errors.ts';
import type { Fields, Log } from '../../../kernel/log.ts';
import type { Broken, Loaded, Refused, Screen } from './screen.ts';

export interface HostLogOptions {
  readonly screen: Pick<Screen, 'host' | 'progress'>;
  /** Least level of what is shown as it is. */
  readonly level: Level | 'silent';
  readonly onLoaded: (loaded: Loaded) => void;
  readonly onBroken: (broken: Omit<Broken, 'running'>) => void;
  readonly onRefused: (refused: Refused & { readonly callId: string }) => void;
}

type Level = 'debug' | 'info' | 'warn' | 'error';
const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** Told in a better way: by the logbook. */
const ELSEWHERE = new Set(['plugin.log']);

export function createHostLog(options: HostLogOptions): Log {
  const { screen, onLoaded, onBroken, onRefused } = options;
  const least = LEVELS.indexOf(options.level);
  const known: Readonly<Record<string, (fields: Fields) => void>> = {
    'plugin.loaded': (f) =>
      onLoaded({
        plugin: text(f, 'plugin'),
        version: text(f, 'version'),
        ms: Math.round(Number(f['loadMs'])),
      }),
    'plugin.failed': (f) =>
      onBroken({ plugin: text(f, 'plugin'), code: text(f, 'code'), reason: text(f, 'reason') }),
    'call.refused': (f) =>
      onRefused({
        method: text(f, 'method'),
        path: text(f, 'path'),
        status: statusOf(text(f, 'code')),
        org: text(f, 'org'),
        code: text(f, 'code'),
        message: text(f, 'message'),
        callId: text(f, 'callId'),
      }),
    'plugin.registered'(f) {
      if (f['changes'] !== 0)
        screen.progress(`registered in vCloud (${text(f, 'changes')} changes)`);
    },
  };
  return logWith({});

  function logWith(more: Fields): Log {
    const at = (level: Level) => (event: string, fields?: Fields) => {
      const all = { ...more, ...fields };
      if (Object.hasOwn(known, event)) return known[event]?.(all);
      if (LEVELS.indexOf(level) >= least && !ELSEWHERE.has(event)) screen.host(level, event, all);
    };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (fields) => logWith({ ...more, ...fields }),
    };
  }
}

function statusOf(code: string): number {
  return Object.hasOwn(CODES, code) ? CODES[code as Code].status : 0;
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
