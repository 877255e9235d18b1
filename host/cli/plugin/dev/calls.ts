/**
 * Calls of a plug-in's routes, as lines to copy.
 * May import: bundles.
 */
import type { Manifest, ManifestRoute } from '../../../bundles/manifest/manifest.ts';

/** Who makes the calls. */
export interface Person {
  readonly name: string;
  readonly org: { readonly name: string; readonly id: string };
  /** For `x-vcloud-authorization`. */
  readonly token: string;
  /** Address of the cell. */
  readonly cell: string;
}

export interface SampleCall {
  readonly method: string;
  readonly url: string;
  readonly curl: string;
}

/** More would push what matters off the screen. */
const MAX_CALLS = 5;

/** One for each route, GET first; parameters are filled with something that may fit. */
export function sampleCalls({ routes }: Pick<Manifest, 'routes'>, person: Person): SampleCall[] {
  const isGet = ({ method }: ManifestRoute) => method === 'GET' || method === '*';
  const sorted = [...routes.filter(isGet), ...routes.filter((route) => !isGet(route))];
  return sorted.slice(0, MAX_CALLS).map((route) => sampleCall(route, person));
}

function sampleCall(route: ManifestRoute, { cell, org, token }: Person): SampleCall {
  const method = route.method === '*' ? 'GET' : route.method;
  const path = route.path
    .replaceAll(/\{(\w+)\}/g, (_, name: string) => sampleValue(name, org.id))
    .replace(/\*$/, 'sample');
  const url = `${cell}${encodeURI(path)}`;
  const parts = ['curl -s', ...METHODS[method], header(`x-vcloud-authorization: ${token}`)];
  if (WITH_BODY.has(method)) parts.push(header('content-type: application/json'), "-d '{}'");
  return { method, url, curl: [...parts, quoted(url)].join(' ') };
}

const METHODS: Readonly<Record<Exclude<ManifestRoute['method'], '*'>, readonly string[]>> = {
  GET: [],
  HEAD: ['-I'],
  POST: ['-X POST'],
  PUT: ['-X PUT'],
  PATCH: ['-X PATCH'],
  DELETE: ['-X DELETE'],
};

const WITH_BODY = new Set(['POST', 'PUT', 'PATCH']);

function sampleValue(name: string, org: string): string {
  return /^org(?:Id)?$/i.test(name) ? (org.split(':').at(-1) ?? '') : 'sample';
}

const header = (text: string): string => `-H ${quoted(text)}`;
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
