/**
 * The load generator as the benchmark sees it: a child process that takes one order at a time.
 * May import: test/bench.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface LoadOrder {
  /** Routing key of the service. */
  readonly key: string;
  readonly method: string;
  /** Paths with query, taken in turn. */
  readonly uris: readonly string[];
  /** Orgs the calls are spread over, numbered from `firstOrg`. */
  readonly orgs: number;
  readonly firstOrg: number;
  /** Size of one message. */
  readonly bytes: number;
  readonly inFlight: number;
  /** Length of the measured window. */
  readonly ms: number;
}

export interface LoadResult {
  readonly calls: number;
  readonly ms: number;
  /** Round trip in ms. */
  readonly p50: number;
  readonly p99: number;
  /** Replies by status, warm-up included; an echo of the request counts as 0. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Calls without a reply. */
  readonly lost: number;
}

export interface Load extends AsyncDisposable {
  /** `mark` is called when the measured window begins and when it ends. */
  run(order: LoadOrder, mark?: () => void): Promise<LoadResult>;
}

export async function openLoad(url: string): Promise<Load> {
  const child = fork(fileURLToPath(new URL('load-process.ts', import.meta.url)), [url]);
  await ready(child);
  return {
    run: (order, mark) =>
      new Promise((resolve) => {
        const hear = (message: 'begin' | 'end' | LoadResult): void => {
          if (typeof message === 'string') return mark?.();
          child.off('message', hear);
          resolve(message);
        };
        child.on('message', hear);
        child.send(order);
      }),
    async [Symbol.asyncDispose]() {
      child.disconnect();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

/** Wait for a child's first message; rejects when it ends before. */
export async function ready(child: ReturnType<typeof fork>): Promise<void> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${child.spawnargs[1]} ended with ${String(code)} before it was ready`);
  });
  await Promise.race([once(child, 'message'), ended]);
  ended.catch(() => undefined);
}
