/**
 * The port of the journal: which calls may have run, and what they were answered.
 * May import: kernel.
 *
 * Only calls that must not run twice are written here. The entry is made before the handler runs, so
 * after a crash its presence says that the handler may have run.
 */

export interface JournalEntry {
  /** Names the call: service and message id. */
  readonly key: string;
  /** Digest of caller and request: the same key with another digest is somebody else's. */
  readonly digest: string;
}

export type Begun =
  /** The caller of `begin` owns the call and must `finish` it. */
  | { readonly kind: 'new' }
  /** It was answered: here is the reply, as given to `finish`. */
  | { readonly kind: 'answered'; readonly reply: string }
  /** Another process began it. `alive`: that process has shown itself lately and may still answer. */
  | { readonly kind: 'begun'; readonly alive: boolean }
  /** The key is known with another digest. */
  | { readonly kind: 'conflict' };

export interface JournalStatus {
  readonly entries: number;
  readonly bytes: number;
}

/** Survives the death of the process, not of the power. Any number of processes may share one. */
export interface Journal extends AsyncDisposable {
  /** Atomic: of several that begin the same key at once, one gets `new`. */
  begin(entry: JournalEntry): Promise<Begun>;
  /** Keep the reply until the entry expires. */
  finish(key: string, reply: string): Promise<void>;
  /** Look without beginning; null when the key is not known. */
  look(entry: JournalEntry): Promise<Exclude<Begun, { kind: 'new' }> | null>;
  status(): Promise<JournalStatus>;
}

export interface JournalOptions {
  /** How long an entry is kept in ms: the deadline of a call plus what a broker may take to redeliver. @default 600000 */
  readonly keepMs?: number;
  /** Entries kept; the oldest answered ones go first. @default 200000 */
  readonly maxEntries?: number;
  /** Bytes of replies kept. @default 268435456 */
  readonly maxBytes?: number;
  /** A process that has not shown itself for so long counts as dead, in ms. @default 3000 */
  readonly aliveMs?: number;
}

export const JOURNAL_DEFAULTS = {
  keepMs: 600_000,
  maxEntries: 200_000,
  maxBytes: 268_435_456,
  aliveMs: 3_000,
} as const satisfies JournalOptions;
