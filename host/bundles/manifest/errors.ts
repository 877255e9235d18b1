/**
 * Says what is wrong with a plugin.json: where, what is there, what was expected, and what may have been meant.
 * May import: nothing.
 */
import { z } from 'zod';

type Issue = z.core.$ZodIssue;

/** Issues and unknown keys that are told of; a hostile manifest has any number of them. */
const MAX_TOLD = 20;

/** The first issues in one line. `value` is what was validated by `schema`. */
export function explainIssues(issues: readonly Issue[], value: unknown, schema: z.ZodType): string {
  const told = issues.slice(0, MAX_TOLD).map((issue) => explain(issue, value, schema));
  const more = issues.length - told.length;
  return [...told, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

function explain(issue: Issue, value: unknown, schema: z.ZodType): string {
  const where = issue.path.join('.') || '(top)';
  const strange = unknownKeys(issue, schema);
  if (strange) {
    const at = strange.path.join('.') || '(top)';
    return `${at}: unknown key ${strange.keys.join(', ')}`;
  }
  const found = valueAt(value, issue.path);
  return `${where}: ${issue.message}${found === undefined ? '' : ` (found ${shorten(found)})`}`;
}

/** With what may have been meant. Every variant of a union complains of the others' keys: only what none knows counts. */
function unknownKeys(
  issue: Issue,
  schema: z.ZodType,
): { path: PropertyKey[]; keys: string[] } | null {
  const variants = issue.code === 'invalid_union' ? issue.errors.flat() : [issue];
  const base = issue.code === 'invalid_union' ? issue.path : [];
  for (const error of variants) {
    if (error.code !== 'unrecognized_keys') continue;
    const path = [...base, ...error.path];
    const known = knownKeys(schema, path);
    const keys = error.keys.filter((key) => !known.includes(key)).slice(0, MAX_TOLD);
    if (keys.length > 0)
      return { path, keys: keys.map((key) => `${shorten(key)}${suggestion(key, known)}`) };
  }
  return null;
}

function suggestion(key: string, known: readonly string[]): string {
  const nearest = nearestName(key, known);
  return nearest === null ? ` (known are ${known.join(', ')})` : `: did you mean "${nearest}"?`;
}

/** The known name that is a typing error or two away, or null. */
export function nearestName(name: string, known: readonly string[]): string | null {
  const most = Math.max(1, Math.floor(name.length / 3));
  const folded = name.toLowerCase();
  const near = known
    .map((candidate) => ({ candidate, distance: editDistance(folded, candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= most)
    .sort((a, b) => a.distance - b.distance);
  return near[0]?.candidate ?? null;
}

/** Levenshtein's: insertions, deletions and replacements from one to the other. Long names are not worth the work. */
function editDistance(a: string, b: string): number {
  if (a.length > 64 || b.length > 64) return Infinity;
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** The names that an object at this path may have. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let here: z.core.$ZodType[] = [schema];
  for (const key of path) here = here.flatMap(unwrap).flatMap((type) => step(type, key));
  const names = here
    .flatMap(unwrap)
    .flatMap((type) => (type instanceof z.ZodObject ? Object.keys(type.shape) : []));
  return [...new Set(names)];
}

/** Through defaults and options to the types that stand behind them. */
function unwrap(type: z.core.$ZodType): z.core.$ZodType[] {
  if (
    type instanceof z.ZodOptional ||
    type instanceof z.ZodDefault ||
    type instanceof z.ZodNullable
  )
    return unwrap(type.def.innerType);
  if (type instanceof z.ZodUnion) return type.options.flatMap(unwrap);
  return [type];
}

function step(type: z.core.$ZodType, key: PropertyKey): z.core.$ZodType[] {
  if (type instanceof z.ZodObject) {
    const next = (type.shape as Record<PropertyKey, z.core.$ZodType>)[key];
    return next ? [next] : [];
  }
  if (type instanceof z.ZodArray) return [type.element];
  return type instanceof z.ZodRecord ? [type.valueType] : [];
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let here = value;
  for (const key of path) {
    if (typeof here !== 'object' || here === null) return undefined;
    here = (here as Record<PropertyKey, unknown>)[key];
  }
  return here;
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}
