/**
 * Moves what a store holds to a store of another kind, either way.
 * May import: kernel, storage.
 */
import type { Movable } from '../storage/moving.ts';

export interface MoveProgress {
  /** Items looked at. */
  readonly done: number;
  /** Items there are, about. */
  readonly total: number;
  /** Of those done, the ones that had to be written. */
  readonly written: number;
}

export interface MoveResult extends MoveProgress {
  /** False when the signal ended it before the end: move again to go on. */
  readonly complete: boolean;
}

/** Items between two reports. */
const REPORT_EVERY = 100;

/**
 * Copy everything; the source is left as it is. To be done while no host serves either store. It can be interrupted
 * and repeated at any time: what was moved is left alone. Throws what the stores throw.
 */
export async function migrateStorage(
  from: Movable,
  to: Movable,
  {
    onProgress,
    signal,
  }: { onProgress?: (progress: MoveProgress) => void; signal?: AbortSignal } = {},
): Promise<MoveResult> {
  const total = await from.count();
  let [done, written] = [0, 0];
  const report = () => onProgress?.({ done, total: Math.max(total, done), written });
  report();
  for await (const item of from.items()) {
    if (signal?.aborted) return { done, total, written, complete: false };
    if (await to.take(item)) written += 1;
    done += 1;
    if (done % REPORT_EVERY === 0) report();
  }
  report();
  return { done, total: done, written, complete: true };
}
