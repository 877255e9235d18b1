/**
 * Chooses form and API version of an answer from the request's Accept header.
 * May import: fault.
 */
import { VcloudFault } from './fault.ts';

export interface Form {
  readonly format: 'xml' | 'json';
  readonly version: string;
}

/** API versions on offer, oldest first; those of products out of support are marked deprecated. */
export const VERSIONS = [
  '36.0',
  '36.1',
  '36.2',
  '36.3',
  '37.0',
  '37.1',
  '37.2',
  '37.3',
  '38.0',
  '38.1',
  '39.0',
  '39.1',
] as const;

export const NEWEST = '39.1';

export const isDeprecated = (version: string) => version.startsWith('36.');

/** XML unless JSON is named first; the newest version unless one is named. Never throws. */
export function readAccept(header: string | undefined): Form {
  const parts = (header ?? '').toLowerCase().split(',');
  const first = parts.find((part) => /json|xml|\*\/\*|application\/\*/.test(part)) ?? '';
  const version = /;\s*version=["']?([0-9a-z.-]+)/.exec(header?.toLowerCase() ?? '')?.[1];
  return { format: first.includes('json') ? 'json' : 'xml', version: version ?? NEWEST };
}

/** For the cell's own resources: a version that is not on offer is refused with 406. */
export function checkVersion(form: Form): void {
  if (!(VERSIONS as readonly string[]).includes(form.version))
    throw new VcloudFault(
      406,
      `The API version ${form.version} is not supported: see /api/versions`,
    );
}
