/**
 * Compares two trees of children: what is equal stays, what is missing is added top down, what is too much removed bottom up.
 * May import: vcloud.
 */
import type { Change, Parent } from './change.ts';
import type { Addresses, DesiredChild } from './desired.ts';
import { keyOf, labelOf } from './kinds.ts';
import type { ObservedChild } from './observe.ts';

export interface ChildChanges {
  readonly additions: readonly Change[];
  readonly removals: readonly Change[];
}

export interface DiffPlace {
  readonly addresses: Addresses;
  readonly parent: Parent;
  /** Names on the way here. */
  readonly path?: readonly string[];
}

/**
 * Children have no edit link, so another content means a new child and the removal of the old one.
 * Two equal ones on the other side are one too many.
 */
export function diffChildren(
  desired: readonly DesiredChild[],
  observed: readonly ObservedChild[],
  { addresses, parent, path = [] }: DiffPlace,
): ChildChanges {
  const left = new Map<string, ObservedChild[]>();
  for (const child of observed) {
    const key = `${child.kind} ${child.key}`;
    left.set(key, [...(left.get(key) ?? []), child]);
  }
  const inner: ChildChanges[] = [];
  for (const child of unique(desired, addresses)) {
    const document = child.document(addresses);
    const here = [...path, labelOf(document)];
    // Of several equal ones the fullest is kept.
    const [match, ...others] = (left.get(`${child.kind} ${keyOf(document)}`) ?? []).sort(
      (a, b) => b.children.length - a.children.length,
    );
    left.set(`${child.kind} ${keyOf(document)}`, others);
    inner.push(
      match
        ? diffChildren(child.children, match.children, {
            addresses,
            parent: { href: match.href },
            path: here,
          })
        : { additions: addTree(child, { addresses, parent, path: here }), removals: [] },
    );
  }
  const extra = [...left.values()].flat();
  return {
    additions: inner.flatMap(({ additions }) => additions),
    removals: [...inner.flatMap(({ removals }) => removals), ...extra.flatMap(removeTree)],
  };
}

function unique(desired: readonly DesiredChild[], addresses: Addresses): DesiredChild[] {
  const byKey = new Map(
    desired.map((child) => [`${child.kind} ${keyOf(child.document(addresses))}`, child]),
  );
  return [...byKey.values()];
}

function addTree(
  desired: DesiredChild,
  { addresses, parent, path }: Required<DiffPlace>,
): Change[] {
  const id = [desired.kind, ...path].join('/');
  const label = path.at(-1) ?? '';
  const inner = desired.children.flatMap((child) =>
    addTree(child, {
      addresses,
      parent: { change: id },
      path: [...path, labelOf(child.document(addresses))],
    }),
  );
  return [{ action: 'add', kind: desired.kind, id, label, parent, desired, path }, ...inner];
}

function removeTree({ kind, label, href, children }: ObservedChild): Change[] {
  return [...children.flatMap(removeTree), { action: 'remove', kind, label, href }];
}
