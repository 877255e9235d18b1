/**
 * Chooses the API version: the highest that the cell offers within the known range.
 * May import: kernel, message, vcloud.
 */
import { HostError } from '../../kernel/errors.ts';
import { decodeXml } from '../../message/xml/documents.ts';

/** Compare two versions by their numbers, `36.3` before `37.0`. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [numbersOf(a), numbersOf(b)];
  for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * The version to speak, from the answer of `/api/versions`. Pre-releases (`39.0.0-alpha`) are ignored.
 * Throws `CONFIG_INVALID` when nothing fits, with what the cell offers.
 */
export function chooseVersion(
  document: Uint8Array | string,
  range: { readonly min: string; readonly max: string },
): string {
  const { VersionInfo = [] } = decodeXml('SupportedVersions', document);
  const offered = VersionInfo.map(({ Version = '' }) => Version.trim()).filter((version) =>
    /^\d{1,3}(?:\.\d{1,3}){1,2}$/.test(version),
  );
  const fitting = offered
    .filter((v) => compareVersions(v, range.min) >= 0 && compareVersions(v, range.max) <= 0)
    .sort(compareVersions);
  const best = fitting.at(-1);
  if (best) return best;
  throw new HostError(
    'CONFIG_INVALID',
    `vcloud.apiVersions: ${range.min} to ${range.max}, but the cell offers ${offered.join(', ').slice(0, 200) || 'none'}`,
  );
}

function numbersOf(version: string): number[] {
  return version.split('.').map(Number);
}
