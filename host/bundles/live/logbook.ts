/**
 * What plug-ins said and what their calls cost, lately: read back and followed by operators and authors.
 * May import: kernel.
 *
 * In memory and bounded for each plug-in; what must be kept goes to the host's own log, which has the same lines.
 */
import { systemClock, type Clock } from '../../kernel/time.ts';

export interface NewLine {
  readonly plugin: string;
  readonly version: string;
  /** URN. */
  readonly org: string;
  readonly callId: string;
  /** `log`: the plug-in wrote it. `call`: one for each call that it answered or failed. */
  readonly kind: 'log' | 'call';
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** Of guests: hostile text, to be escaped wherever it is shown. */
  readonly text: string;
  /** Of a call. */
  readonly call?: CallFigures;
}

export interface CallFigures {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** Why it failed, or null. */
  readonly code: string | null;
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly hostCalls: number;
  /** Heap of the isolate after the call, when it was looked at. */
  readonly memoryKb: number | null;
  readonly cold: boolean;
}

export interface LogLine extends NewLine {
  /** Grows over all plug-ins. */
  readonly id: number;
  /** Epoch ms. */
  readonly at: number;
}

export interface LogQuery {
  readonly plugin: string;
  readonly org?: string | undefined;
  /** Only lines after this id. */
  readonly after?: number | undefined;
  /** The latest at most. @default 200 */
  readonly limit?: number | undefined;
}

export interface Logbook {
  write(line: NewLine): void;
  /** The oldest first. */
  read(query: LogQuery): readonly LogLine[];
  /** Called with every line as it is written, until disposed. Must not throw. */
  follow(query: Omit<LogQuery, 'limit'>, line: (line: LogLine) => void): Disposable;
  /** Nothing of the plug-in is remembered any more, and nobody follows it: its name may be anybody's next. */
  forget(plugin: string): void;
}

/** Lines of one plug-in that are kept. */
const MAX_LINES = 2_000;
const MAX_TEXT = 4_096;

export function createLogbook(clock: Clock = systemClock): Logbook {
  const pages = new Map<string, LogLine[]>();
  const followers = new Map<string, Set<(line: LogLine) => void>>();
  let lastId = 0;

  return {
    write(given) {
      const line = { ...given, text: given.text.slice(0, MAX_TEXT), id: ++lastId, at: clock.now() };
      let page = pages.get(line.plugin);
      if (!page) pages.set(line.plugin, (page = []));
      page.push(line);
      // In one go now and then: taking one off the front of a long list at every line costs more.
      if (page.length > MAX_LINES * 1.25) page.splice(0, page.length - MAX_LINES);
      for (const follower of followers.get(line.plugin) ?? []) follower(line);
    },
    read({ plugin, limit = 200, ...query }) {
      const wanted = (pages.get(plugin) ?? []).filter((line) => fits(line, query));
      return wanted.slice(-Math.max(1, limit));
    },
    follow({ plugin, ...query }, tell) {
      const follower = (line: LogLine) => {
        if (fits(line, query)) tell(line);
      };
      let all = followers.get(plugin);
      if (!all) followers.set(plugin, (all = new Set()));
      all.add(follower);
      return {
        [Symbol.dispose]() {
          all.delete(follower);
          if (all.size === 0 && followers.get(plugin) === all) followers.delete(plugin);
        },
      };
    },
    forget(plugin) {
      pages.delete(plugin);
      followers.delete(plugin);
    },
  };
}

function fits(line: LogLine, { org, after }: Pick<LogQuery, 'org' | 'after'>): boolean {
  return (org === undefined || line.org === org) && (after === undefined || line.id > after);
}
