/**
 * How the shape of a vCloud document is written down: attributes, and children in the order of the XSD.
 * The TypeScript type of a document's value follows from its rule, so the table is the only description.
 * May import: nothing.
 */

export const NAMESPACES = {
  vcloud: 'http://www.vmware.com/vcloud/v1.5',
  vmext: 'http://www.vmware.com/vcloud/extension/v1.5',
  versions: 'http://www.vmware.com/vcloud/versions',
  xsi: 'http://www.w3.org/2001/XMLSchema-instance',
} as const;

export type Prefix = 'vcloud' | 'vmext' | 'versions';

/** What a simple type of the XSD is in TypeScript. Only the rule decides; the parser never guesses. */
interface Scalars {
  string: string;
  boolean: boolean;
  /** xs:int and xs:long alike. */
  number: number;
}
export type ScalarKind = keyof Scalars;

/** A child element; `V` is the type of its value. */
export interface ChildRule<V = unknown> {
  /** Namespace of the element: that of the schema which declares it, not that of its type. */
  readonly prefix: Prefix;
  readonly content: ScalarKind | TypeRule;
  readonly many: boolean;
  readonly required: boolean;
  /** Sent as `xsi:type="vcloud:…"`. */
  readonly xsiType?: string;
  /** Never set; carries the type. */
  readonly value?: V;
}

/** A complex type; `V` is the type of its value. */
export interface TypeRule<V = unknown> {
  readonly attributes: Readonly<Record<string, ScalarKind>>;
  readonly requiredAttributes: readonly string[];
  /** In the order of the XSD, inherited ones first. */
  readonly children: Readonly<Record<string, ChildRule>>;
  /** Never set; carries the type. */
  readonly value?: V;
}

/** The value type of a rule. */
export type ValueOf<R> = R extends { readonly value?: infer V } ? NonNullable<V> : never;

type Attributes<A extends Record<string, ScalarKind>> = {
  readonly [K in keyof A]?: Scalars[A[K]] | undefined;
};
type Children<C extends Record<string, ChildRule>> = {
  readonly [K in keyof C]?: ValueOf<C[K]> | undefined;
};

interface Shape<A extends Record<string, ScalarKind>, C extends Record<string, ChildRule>> {
  readonly attributes?: A;
  readonly required?: readonly (keyof A & string)[];
  readonly children?: C;
}

// oxlint-disable-next-line typescript/no-generated-empty-object-type -- no attributes or no children is exactly this
type None = Record<never, never>;

/** A type of its own. */
export function type<
  const A extends Record<string, ScalarKind> = None,
  C extends Record<string, ChildRule> = None,
>(shape: Shape<A, C>): TypeRule<Attributes<A> & Children<C>> {
  return {
    attributes: shape.attributes ?? {},
    requiredAttributes: shape.required ?? [],
    children: shape.children ?? {},
  };
}

/** A type that extends another: its attributes are added, its children come after the inherited ones. */
export function extend<
  B,
  const A extends Record<string, ScalarKind> = None,
  C extends Record<string, ChildRule> = None,
>(base: TypeRule<B>, shape: Shape<A, C>): TypeRule<B & Attributes<A> & Children<C>> {
  return {
    attributes: { ...base.attributes, ...shape.attributes },
    requiredAttributes: [...base.requiredAttributes, ...(shape.required ?? [])],
    children: { ...base.children, ...shape.children },
  };
}

type Content = ScalarKind | TypeRule;
type ContentValue<T> = T extends ScalarKind ? Scalars[T] : ValueOf<T>;

/** Makers of child elements of one namespace. */
export function elementsOf(prefix: Prefix) {
  const child = (content: Content, many: boolean, required: boolean) => ({
    prefix,
    content,
    many,
    required,
  });
  return {
    /** `[0..1]` */
    optional: <T extends Content>(content: T): ChildRule<ContentValue<T>> =>
      child(content, false, false),
    /** `[1..1]` */
    one: <T extends Content>(content: T): ChildRule<ContentValue<T>> => child(content, false, true),
    /** `[0..n]` */
    many: <T extends Content>(content: T): ChildRule<readonly ContentValue<T>[]> =>
      child(content, true, false),
    /** `[0..1]`, sent with `xsi:type`. */
    typed: <T extends Content>(content: T, xsiType: string): ChildRule<ContentValue<T>> => ({
      ...child(content, false, false),
      xsiType,
    }),
  };
}
