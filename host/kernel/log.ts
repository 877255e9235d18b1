/**
 * The host's log: one event per line, a stable name and fields, credentials taken out.
 * May import: nothing of ours. pino is used here and nowhere else.
 */
import { pino } from 'pino';

export type Fields = Readonly<Record<string, unknown>>;

/** `event` is a stable dotted name such as `runner.killed`; details go into fields, never into the name. */
export interface Log {
  debug(event: string, fields?: Fields): void;
  info(event: string, fields?: Fields): void;
  warn(event: string, fields?: Fields): void;
  error(event: string, fields?: Fields): void;
  /** A log whose every line carries these fields too. */
  child(fields: Fields): Log;
}

export interface LogOptions {
  /** Least level that is written. @default 'info' */
  readonly level?: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** Where lines go. @default standard output */
  readonly write?: (line: string) => void;
}

/** Field names whose values are never written, at the top and one level down. */
const SECRET_FIELDS = [
  'authorization',
  'Authorization',
  'cookie',
  'Cookie',
  'password',
  'token',
  'secret',
  'headers',
  'body',
];

export function createLog(options: LogOptions = {}): Log {
  const destination = options.write
    ? { write: options.write }
    : pino.destination({ fd: 1, sync: true });
  const logger = pino(
    {
      level: options.level ?? 'info',
      base: null,
      messageKey: 'event',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_FIELDS.flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
    },
    destination,
  );
  return wrap(logger);
}

/** A log that writes nothing; for tests and as a default. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
};

function wrap(logger: pino.Logger): Log {
  return {
    debug: (event, fields = {}) => logger.debug(fields, event),
    info: (event, fields = {}) => logger.info(fields, event),
    warn: (event, fields = {}) => logger.warn(fields, event),
    error: (event, fields = {}) => logger.error(fields, event),
    child: (fields) => wrap(logger.child(fields)),
  };
}
