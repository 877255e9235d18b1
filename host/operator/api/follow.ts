/**
 * Lines of a plug-in as a stream of NDJSON that goes on until somebody leaves.
 * May import: kernel and everything below operator.
 */
import type { Logbook, LogLine, LogQuery } from '../../bundles/live/logbook.ts';
import type { Clock } from '../../kernel/time.ts';

export interface FollowOptions {
  readonly logbook: Logbook;
  readonly query: LogQuery;
  /** Asked again and again; the stream ends when it says no or rejects. */
  readonly mayGoOn: () => Promise<boolean>;
  /** Called once, however the stream ends. */
  readonly onEnd: () => void;
  /** An empty line is sent after so long without another, in ms: both sides find out that the other is gone. */
  readonly heartbeatMs: number;
  readonly clock: Clock;
}

/** Lines that wait for a slow reader; further ones are counted and dropped, and the reader is told. */
const MAX_WAITING = 1_000;
const BATCH = 200;
/** How old an answer of `mayGoOn` may be, ms. */
const FRESH_MS = 1_000;

/** Begins with the lines that are there; nothing is missed or sent twice in between. */
export function followLines(options: FollowOptions): ReadableStream<Uint8Array> {
  const { mayGoOn, onEnd, heartbeatMs, clock } = options;
  const waiting = openWaiting(options);
  let ended = false;
  let allowedAt = -Infinity;

  function end(): void {
    if (ended) return;
    ended = true;
    waiting[Symbol.dispose]();
    onEnd();
  }
  async function allowed(): Promise<boolean> {
    if (clock.monotonic() - allowedAt < FRESH_MS) return true;
    const may = await mayGoOn().catch(() => false);
    allowedAt = clock.monotonic();
    return may;
  }

  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      await waiting.news(heartbeatMs);
      const may = ended || (await allowed());
      // Whoever left meanwhile has ended it.
      if (ended) return;
      if (may) return controller.enqueue(encode(waiting.take()));
      end();
      controller.close();
    },
    cancel: end,
  });
}

type Item = LogLine | { readonly dropped: number };

interface Waiting extends Disposable {
  /** Resolves when there are lines, when the time is over, or at the end. */
  news(timeoutMs: number): Promise<void>;
  take(): Item[];
}

function openWaiting({ logbook, query }: Pick<FollowOptions, 'logbook' | 'query'>): Waiting {
  const lines: LogLine[] = [...logbook.read(query)];
  let dropped = 0;
  let closed = false;
  let wake: () => void = () => undefined;
  // In the same turn as the reading above.
  const follower = logbook.follow(query, (line) => {
    if (lines.length < MAX_WAITING) lines.push(line);
    else dropped += 1;
    wake();
  });
  return {
    async news(timeoutMs) {
      if (lines.length > 0 || closed) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      const timer = setTimeout(resolve, timeoutMs).unref();
      await promise;
      clearTimeout(timer);
    },
    take() {
      const items: Item[] = lines.splice(0, BATCH);
      if (dropped > 0 && lines.length === 0) {
        items.push({ dropped });
        dropped = 0;
      }
      return items;
    },
    [Symbol.dispose]() {
      closed = true;
      follower[Symbol.dispose]();
      wake();
    },
  };
}

function encode(items: readonly Item[]): Uint8Array {
  if (items.length === 0) return Buffer.from('\n');
  return Buffer.from(items.map((item) => `${JSON.stringify(item)}\n`).join(''));
}
