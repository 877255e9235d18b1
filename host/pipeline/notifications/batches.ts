/**
 * Writes many things at once: under load each write costs far more than what is in it, here and at the broker, which
 * is told only afterwards.
 * May import: nothing.
 */

/** While busy, what comes within this time goes together, ms; else what comes in one turn of the event loop. */
const GATHER_MS = 1;
/** A batch of so many is written at once. */
const FULL = 32;

interface Batch<T> {
  readonly items: T[];
  readonly written: Promise<void>;
  readonly close: () => void;
}

/** The returned function resolves when its item was written; `write` must not reject. */
export function createBatches<T>(
  write: (items: readonly T[]) => Promise<void>,
  isBusy: () => boolean,
): (item: T) => Promise<void> {
  let open: Batch<T> | null = null;

  function begin(): Batch<T> {
    const items: T[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const close = () => {
      if (open?.items === items) open = null;
      resolve();
    };
    if (isBusy()) setTimeout(close, GATHER_MS);
    else setImmediate(close);
    return { items, close, written: promise.then(() => write(items)) };
  }

  return (item) => {
    const batch = (open ??= begin());
    batch.items.push(item);
    if (batch.items.length >= FULL) batch.close();
    return batch.written;
  };
}
