/**
 * Finds the extension services whose API filters match a request or an answer.
 * May import: element, java-regex, model, store.
 */
import { textOf } from '../documents/element.ts';
import { translateJavaRegex } from '../java-regex/regex.ts';
import type { Entity } from '../model.ts';
import { type Store, childrenOf } from '../store.ts';

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

/** Type and parameters of a media type, in lower case. */
function mediaParts(text: string): { type: string; parameters: Map<string, string> } {
  const [type = '', ...rest] = text
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const pairs = rest.map((part) => {
    const [name = '', value = ''] = part.split('=');
    return [name.trim(), value.trim().replaceAll('"', '')] as const;
  });
  return { type, parameters: new Map(pairs) };
}

/** Whether a filter's media type is the answer's; parameters count when the filter names them. */
export function matchesMedia(filter: string, answer: string): boolean {
  const wanted = mediaParts(filter);
  const found = mediaParts(answer);
  return (
    wanted.type === found.type &&
    [...wanted.parameters].every(([name, value]) => found.parameters.get(name) === value)
  );
}

/** Enabled services that want to see answers of this content type, highest priority first. */
export function servicesForAnswer(store: Store, contentType: string): Entity[] {
  return enabledServices(store).filter((service) =>
    childrenOf(store, service.id, 'apiFilter').some((filter) => {
      const media = textOf(filter.content, 'ResponseContentType');
      return media !== undefined && matchesMedia(media, contentType);
    }),
  );
}

function enabledServices(store: Store): Entity[] {
  return [...store.entities.values()]
    .filter((item) => item.kind === 'service' && textOf(item.content, 'Enabled') === 'true')
    .toSorted((a, b) => priorityOf(b) - priorityOf(a));
}

/** Enabled services that match the whole path, highest priority first. */
export function servicesFor(store: Store, path: string): Entity[] {
  return enabledServices(store).filter((service) => matches(store, service, path));
}
