/**
 * Resident memory of one process, and the floor it returns to between calls.
 * May import: nothing.
 */
import { closeSync, openSync, readSync } from 'node:fs';

export interface MemoryGauge extends Disposable {
  /** Read RSS now, bytes; 0 when it can not be read (no /proc, or the process is gone). */
  read(): number;
  /** Last RSS read, bytes. */
  readonly rss: number;
  /** Least RSS of the last one to two seconds of readings, bytes: what stays, without what calls use for a moment. */
  readonly floor: number;
}

const PAGE_BYTES = 4_096;
const WINDOW_MS = 1_000;
/** The floor is the least of readings that are no older than this, ms. */
export const FLOOR_MS = 2 * WINDOW_MS;
const text = Buffer.alloc(128);

export function openMemoryGauge(pid: number, now: () => number): MemoryGauge {
  let fd = openStatm(pid);
  let rss = 0;
  let older = Infinity;
  let newer = Infinity;
  let windowEnd = 0;

  function turnWindow(): void {
    const at = now();
    if (at < windowEnd) return;
    older = newer;
    newer = Infinity;
    windowEnd = at + WINDOW_MS;
  }

  return {
    get rss() {
      return rss;
    },
    get floor() {
      const least = Math.min(older, newer);
      return least === Infinity ? rss : least;
    },
    read() {
      if (fd === null) return rss;
      try {
        const length = readSync(fd, text, 0, text.length, 0);
        rss = Number(text.toString('latin1', 0, length).split(' ')[1]) * PAGE_BYTES;
      } catch {
        this[Symbol.dispose]();
        return rss;
      }
      turnWindow();
      newer = Math.min(newer, rss);
      return rss;
    },
    [Symbol.dispose]() {
      if (fd !== null) closeSync(fd);
      fd = null;
    },
  };
}

function openStatm(pid: number): number | null {
  try {
    return openSync(`/proc/${pid}/statm`, 'r');
  } catch {
    return null;
  }
}
