/**
 * The guest's console: lines go to the host's log, bounded in length and number.
 * May import: calls, describe, install, platform/events, primordials.
 */
import { currentCall, sendFor } from '../calls.ts';
import { clip, describe } from '../describe.ts';
import { publish } from '../install.ts';
import { isError, quote, toText } from '../primordials.ts';
import { setListenerErrors } from './events.ts';

type Level = 'debug' | 'info' | 'warn' | 'error';

/** Lines one call may post; the host's own limit is lower and counts what it drops. */
const MAX_LINES = 1_000;
let lineChars = 2_000;

export function setLogLineChars(chars: number): void {
  lineChars = chars;
}

function format(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'function') return `[function ${value.name || 'anonymous'}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (isError(value)) {
    const { message, stack } = describe(value);
    return stack || message;
  }
  const seen = new Set<unknown>();
  const visit = (_key: string, inner: unknown): unknown => {
    if (typeof inner === 'bigint') return `${inner}n`;
    if (typeof inner !== 'object' || inner === null) return inner;
    if (seen.has(inner)) return '[seen]';
    seen.add(inner);
    if (isError(inner)) return describe(inner).message;
    if (inner instanceof Set) return [...inner];
    // Maps, Headers, FormData and whatever else has names and values.
    const { entries } = inner as { entries?: () => Iterable<[PropertyKey, unknown]> };
    const listed = typeof entries === 'function' && !Array.isArray(inner);
    return listed ? Object.fromEntries(entries.call(inner)) : inner;
  };
  return JSON.stringify(value, visit) ?? toText(value);
}

function substitute(args: readonly unknown[]): string {
  const [first, ...rest] = args;
  if (typeof first !== 'string' || !first.includes('%')) return args.map(format).join(' ');
  let used = 0;
  const head = first.replace(/%[sdifoOjc%]/g, (mark) => {
    if (mark === '%%') return '%';
    if (used >= rest.length) return mark;
    const value = rest[used++];
    if (mark === '%c') return '';
    return mark === '%d' || mark === '%i' || mark === '%f' ? String(Number(value)) : format(value);
  });
  return [head, ...rest.slice(used).map(format)].join(' ');
}

function write(level: Level, args: readonly unknown[]): void {
  const call = currentCall();
  if (++call.logLines > MAX_LINES) return;
  let line: string;
  try {
    line = substitute(args);
  } catch (error) {
    line = `(a log line that can not be formatted: ${describe(error).message})`;
  }
  sendFor(call, 'log', 0, `["${level}",${quote(clip(line, lineChars))}]`);
}

/** Log something thrown where nobody waits for it. */
export function reportError(error: unknown): void {
  const { message, stack } = describe(error);
  write('error', [`Uncaught ${stack || message}`]);
}

const timers = new Map<string, number>();
const counts = new Map<string, number>();
const to =
  (level: Level) =>
  (...args: unknown[]): void =>
    write(level, args);
const nothing = (): void => {};
const log = to('info');

function timeLog(label: unknown = 'default', ...args: unknown[]): void {
  const start = timers.get(toText(label));
  if (start !== undefined) log(`${toText(label)}: ${Date.now() - start} ms`, ...args);
}

const console = {
  log,
  info: log,
  debug: to('debug'),
  trace: (...args: unknown[]): void => write('debug', [...args, new Error('Trace')]),
  warn: to('warn'),
  error: to('error'),
  dir: log,
  dirxml: log,
  table: log,
  group: log,
  groupCollapsed: log,
  groupEnd: nothing,
  clear: nothing,
  assert: (condition?: unknown, ...args: unknown[]): void => {
    if (!condition) write('error', ['Assertion failed', ...args]);
  },
  count: (label: unknown = 'default'): void => {
    const count = (counts.get(toText(label)) ?? 0) + 1;
    counts.set(toText(label), count);
    log(`${toText(label)}: ${count}`);
  },
  countReset: (label: unknown = 'default'): void => void counts.delete(toText(label)),
  time: (label: unknown = 'default'): void => void timers.set(toText(label), Date.now()),
  timeLog,
  timeEnd: (label: unknown = 'default'): void => {
    timeLog(label);
    timers.delete(toText(label));
  },
};

setListenerErrors(reportError);
publish({ console, reportError });
