/**
 * Finds the extension service whose API filter matches a request.
 * May import: element, java-regex, store.
 */
import { textOf } from './element.ts';
import { translateJavaRegex } from './java-regex.ts';
import { type Entity, type Store, childrenOf } from './store.ts';

/** Patterns are compiled once; the cache is dropped when it grows beyond what services ever have. */
const compiled = new Map<string, RegExp | undefined>();

function regexpOf(pattern: string): RegExp | undefined {
  if (compiled.size > 10_000) compiled.clear();
  if (!compiled.has(pattern)) {
    const translation = translateJavaRegex(pattern);
    compiled.set(pattern, translation.ok ? translation.regexp : undefined);
  }
  return compiled.get(pattern);
}

const priorityOf = (service: Entity) => Number(textOf(service.content, 'Priority') ?? 50);

function matches(store: Store, service: Entity, path: string): boolean {
  return childrenOf(store, service.id, 'apiFilter').some((filter) => {
    const pattern = textOf(filter.content, 'UrlPattern');
    return pattern !== undefined && regexpOf(pattern)?.test(path) === true;
  });
}

/** Enabled services that match the whole path, highest priority first. */
export function servicesFor(store: Store, path: string): Entity[] {
  return [...store.entities.values()]
    .filter((item) => item.kind === 'service' && textOf(item.content, 'Enabled') === 'true')
    .filter((service) => matches(store, service, path))
    .toSorted((a, b) => priorityOf(b) - priorityOf(a));
}
