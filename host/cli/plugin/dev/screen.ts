/**
 * What `vcx plugin dev` shows: lines for people, or a line of JSON for each thing that happens.
 * May import: kernel, bundles.
 */
import { styleText } from 'node:util';

import type { LogLine } from '../../../bundles/live/logbook.ts';
import type { Fields } from '../../../kernel/log.ts';
import { printable, printableJson } from '../../../kernel/printable.ts';
import { figuresOf } from '../figures.ts';
import type { SampleCall } from './calls.ts';

export interface Loaded {
  readonly plugin: string;
  readonly version: string;
  readonly ms: number;
}

export interface Broken {
  readonly plugin: string;
  readonly code: string;
  readonly reason: string;
  /** The version that goes on, or null when there is none. */
  readonly running: string | null;
}

/** A call that never reached the plug-in. */
export interface Refused {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly org: string;
  readonly code: string;
  readonly message: string;
}

export interface Screen {
  /** What is being done, or waited for. */
  progress(text: string): void;
  loaded(loaded: Loaded): void;
  broken(broken: Broken): void;
  /** `lines` for people, `fields` for programs. */
  ready(lines: readonly string[], fields: Fields): void;
  /** What can be called has changed. */
  calls(calls: readonly SampleCall[]): void;
  /** From the plug-in's logbook; what guests wrote is escaped. */
  line(line: LogLine): void;
  refused(refused: Refused): void;
  /** Of the host's own. */
  host(level: string, event: string, fields: Fields): void;
}

export interface ScreenOptions {
  readonly json: boolean;
  /** Name of an org by its URN. */
  readonly orgName: (org: string) => string;
}

export function createScreen(options: ScreenOptions): Screen {
  return options.json ? jsonScreen(options) : textScreen(options);
}

function jsonScreen({ orgName }: ScreenOptions): Screen {
  const put = (type: string, fields: object) =>
    console.log(printableJson(JSON.stringify({ type, ...fields })));
  return {
    progress: (text) => put('progress', { text }),
    loaded: (loaded) => put('loaded', loaded),
    broken: (broken) => put('broken', broken),
    ready: (_lines, fields) => put('ready', fields),
    calls: (calls) => put('calls', { calls }),
    line: ({ kind, ...line }) => put(kind, { ...line, orgName: orgName(line.org) }),
    refused: (refused) => put('refused', { ...refused, orgName: orgName(refused.org) }),
    host: (level, event, fields) => put('host', { level, event, ...fields }),
  };
}

function textScreen({ orgName }: ScreenOptions): Screen {
  const put = (text: string, style: Style = []) =>
    console.log(`${dim(clock())}  ${styleText(style, printable(text))}`);
  return {
    progress: (text) => console.log(`vcx: ${printable(text)}`),
    loaded: ({ plugin, version, ms }) =>
      put(`${plugin} ${version} is live (${ms.toFixed(0)} ms)`, ['green']),
    broken({ code, reason, running }) {
      put(`${code}: ${reason}`, ['red']);
      put(running === null ? 'nothing runs; waiting for a save' : `${running} goes on unchanged`);
    },
    ready: (lines) => console.log(lines.map(printable).join('\n')),
    calls: (calls) => console.log(['', ...calls.map(callLine), ''].join('\n')),
    line(line) {
      const org = orgName(line.org);
      if (!line.call) return putText(`${line.level.padEnd(5)} ${org}  `, line);
      const { method, path, status } = line.call;
      const figures = figuresOf(line.call, line.text).join(', ');
      put(`${method} ${path}  ${status}  ${org}  ${figures}`, STYLES[line.level]);
    },
    refused: ({ method, path, status, org, code, message }) =>
      put(`${method} ${path}  ${status}  ${orgName(org)}  not run, ${code}: ${message}`, [
        'yellow',
      ]),
    host: (level, event, fields) =>
      put(`host: ${event} ${JSON.stringify(fields)}`, [level === 'error' ? 'red' : 'yellow']),
  };

  /** A stack takes several lines, each escaped by itself. */
  function putText(head: string, { text, level }: LogLine): void {
    const [first = '', ...rest] = text.split('\n');
    const style = STYLES[level];
    put(head + first, style);
    for (const one of rest) console.log(styleText(style, `          ${printable(one)}`));
  }
}

/** To copy. */
export function callLine({ curl }: SampleCall): string {
  return printable(`  ${curl}`);
}

type Style = readonly ('green' | 'red' | 'yellow')[];

const STYLES: Readonly<Record<LogLine['level'], Style>> = {
  debug: [],
  info: [],
  warn: ['yellow'],
  error: ['red'],
};

const dim = (text: string): string => styleText('dim', text);

function clock(): string {
  return new Date().toTimeString().slice(0, 8);
}
