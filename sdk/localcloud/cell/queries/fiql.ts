/**
 * Filters of the query service: `name==x;namespace==y`, with `,` for or, `!=`, `*` and brackets.
 * May import: fault.
 */
import { VcloudFault } from '../documents/fault.ts';

export type Attributes = Readonly<Record<string, string>>;
export type Filter = (attributes: Attributes) => boolean;

const COMPARISON = /^([A-Za-z][\w.]*)(==|!=)([^;,()]*)/;

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** References are equal when their ids are: as URL, URN or bare uuid. */
const idOf = (text: string) => /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.exec(text)?.[0];

function equals(actual: string, wanted: string): boolean {
  const id = idOf(wanted);
  if (id !== undefined && idOf(actual)?.toLowerCase() === id.toLowerCase()) return true;
  if (!wanted.includes('*')) return actual === wanted;
  const parts = wanted.split('*').map((part) => RegExp.escape(part));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(actual);
}

/** Compile a filter over the given attributes; 400 for anything else, the attribute or place named. */
export function compileFilter(text: string, known: readonly string[]): Filter {
  let rest = text;
  const bad = () => new VcloudFault(400, `The filter '${text}' is not understood at '${rest}'`);
  const take = (char: string) => {
    if (!rest.startsWith(char)) return false;
    rest = rest.slice(1);
    return true;
  };
  const one = (): Filter => {
    if (take('(')) {
      const inner = any();
      if (!take(')')) throw bad();
      return inner;
    }
    const [whole, name, operator, value] = COMPARISON.exec(rest) ?? [];
    if (whole === undefined || name === undefined) throw bad();
    if (!known.includes(name))
      throw new VcloudFault(400, `The attribute '${name}' cannot be queried`);
    rest = rest.slice(whole.length);
    const wanted = decode(value ?? '');
    return (attributes) => equals(attributes[name] ?? '', wanted) === (operator === '==');
  };
  const every = (): Filter => {
    const parts = [one()];
    while (take(';')) parts.push(one());
    return (attributes) => parts.every((part) => part(attributes));
  };
  const any = (): Filter => {
    const parts = [every()];
    while (take(',')) parts.push(every());
    return (attributes) => parts.some((part) => part(attributes));
  };
  const filter = any();
  if (rest !== '') throw bad();
  return filter;
}
