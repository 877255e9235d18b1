/**
 * What a query type is: a name for its records, their attributes, and where they come from.
 * May import: caller, represent, store.
 */
import type { Caller } from '../../sessions/caller.ts';
import type { View } from '../../documents/represent.ts';
import type { Store } from '../../store.ts';

export interface Row {
  /** Path of the object; undefined for what has no address. */
  readonly path?: string;
  readonly urn: string;
  /** Media type of the object, without `+xml` and `+json`. */
  readonly media?: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Asked {
  readonly store: Store;
  readonly view: View;
  readonly caller: Caller;
  /** Uuid of the object below which alone is looked. */
  readonly parent: string | undefined;
}

export interface QueryTable {
  /** `ApiFilter` for elements `ApiFilterRecord`. */
  readonly record: string;
  /** What may stand in filters. */
  readonly attributes: readonly string[];
  mayAsk(caller: Caller): boolean;
  rows(asked: Asked): Row[];
}

export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** Attributes as text, without those that are undefined. */
export function written(attributes: Attributes): Record<string, string> {
  return Object.fromEntries(
    Object.entries(attributes).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    ),
  );
}

export const everybody = () => true;
export const provider = ({ isProvider }: Caller) => isProvider;
export const administrators = ({ administers }: Caller) => administers;
