/**
 * The tree that documents are made of, whether they travel as XML or JSON.
 * May import: nothing of ours.
 */

export const NAMESPACES = {
  vcloud: 'http://www.vmware.com/vcloud/v1.5',
  vmext: 'http://www.vmware.com/vcloud/extension/v1.5',
  versions: 'http://www.vmware.com/vcloud/versions',
} as const;

/** A namespace by its usual prefix; `other` is any that the cell does not know. */
export type Ns = keyof typeof NAMESPACES | 'other';

export interface Element {
  readonly ns: Ns;
  readonly name: string;
  /** Unqualified attributes; `xsi:type` and the like are not kept. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
  /** Character data; empty when there are children. */
  readonly text: string;
}

type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** An element with children; attributes that are undefined are left out. */
export function element(
  qualified: `${keyof typeof NAMESPACES}:${string}`,
  attributes: Attributes = {},
  children: readonly Element[] = [],
): Element {
  const [ns, name] = qualified.split(':') as [keyof typeof NAMESPACES, string];
  const kept = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return {
    ns,
    name,
    attributes: Object.fromEntries(kept.map(([key, value]) => [key, String(value)])),
    children,
    text: '',
  };
}

/** An element with text only. */
export function leaf(
  qualified: `${keyof typeof NAMESPACES}:${string}`,
  text: string | number | boolean,
): Element {
  return { ...element(qualified), text: String(text) };
}

/** The text of the first child of that name, or undefined. */
export function textOf(parent: readonly Element[], name: string): string | undefined {
  return parent.find((child) => child.name === name)?.text;
}
