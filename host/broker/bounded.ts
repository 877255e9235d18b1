/**
 * Waits for the end of something that may never end.
 * May import: kernel.
 */
import { pause } from '../kernel/time.ts';

/** Resolves when the work has ended, well or badly, or after this time. Never rejects. */
export async function bounded(work: Promise<unknown>, ms: number): Promise<void> {
  const late = new AbortController();
  await Promise.race([work.catch(() => undefined), pause(ms, late.signal)]);
  late.abort();
}
