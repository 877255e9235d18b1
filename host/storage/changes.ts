/**
 * The port of the audit log: who changed what, and when. Never what it was changed to.
 * May import: nothing.
 */

export interface NewChange {
  /** Name of the person, token or program that did it. */
  readonly who: string;
  /** Such as `config` or `secret`. */
  readonly action: string;
  readonly plugin?: string | null;
  /** URN. */
  readonly org?: string | null;
  /** What exactly, where the action alone does not say: the name of a secret, a version. */
  readonly subject?: string | null;
  /** Digests of what was there, null for nothing: they tell equal from different and no more. */
  readonly before?: string | null;
  readonly after?: string | null;
}

export interface Change extends Required<NewChange> {
  /** Grows. */
  readonly id: number;
  /** Epoch ms. */
  readonly at: number;
}

export interface ChangeQuery {
  readonly plugin?: string;
  readonly org?: string;
  /** Only those with a smaller id: that of the last entry of the page before. */
  readonly before?: number;
  /** @default 100 */
  readonly limit?: number;
}

/** Bounded: the oldest entries go when there are too many. */
export interface ChangeLog {
  record(change: NewChange): Promise<void>;
  /** The latest first. */
  list(query?: ChangeQuery): Promise<readonly Change[]>;
}
