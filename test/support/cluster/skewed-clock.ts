/**
 * Loaded before a host: its wall clock is an hour ahead, as on a machine that nobody set.
 * May import: nothing.
 */
const AHEAD_MS = 3_600_000;

const trueNow = Date.now.bind(Date);
globalThis.Date = class extends Date {
  constructor(...args: readonly unknown[]) {
    super(...((args.length === 0 ? [trueNow() + AHEAD_MS] : args) as [number]));
  }
  static override now(): number {
    return trueNow() + AHEAD_MS;
  }
} as DateConstructor;
