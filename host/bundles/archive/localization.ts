/**
 * Texts that lie beside the manifest: `localization/LOCALE.json` holds one object of texts by key.
 * May import: kernel, quotas.
 */
import { HostError, messageOf } from '../../kernel/errors.ts';
import type { ArchiveFiles } from './zip.ts';
import { parseManifest, type Manifest } from '../manifest/manifest.ts';

const FILE = /^localization\/([^/]+)\.json$/;

/** Over all locales. */
const MAX_BYTES = 1_048_576;
/** In one of them. */
const MAX_TEXTS = 10_000;

/**
 * The manifest with the texts of these files; throws BUNDLE_INVALID for a text that is given twice or not a text, and
 * BUNDLE_TOO_LARGE: it is read before anybody knows who made it.
 */
export function withLocalization(manifest: Manifest, files: ArchiveFiles): Manifest {
  checkSize([...files].filter(([name]) => FILE.test(name)).map(([, content]) => content));
  const texts = Object.entries(manifest.vcloud.localization ?? {});
  const localization = new Map(
    texts.map(([locale, keys]) => [locale, new Map(Object.entries(keys))]),
  );
  let found = false;
  for (const [name, content] of files) {
    const locale = FILE.exec(name)?.[1];
    if (locale === undefined) continue;
    found = true;
    const keys = localization.get(locale) ?? new Map<string, string>();
    for (const [key, text] of Object.entries(parse(name, content))) {
      if (keys.has(key))
        throw new HostError('BUNDLE_INVALID', `${name}: ${shown(key)} is in plugin.json too`);
      keys.set(key, text);
    }
    if (keys.size > MAX_TEXTS)
      throw new HostError('BUNDLE_TOO_LARGE', `${name}: more than ${MAX_TEXTS} texts`);
    localization.set(locale, keys);
  }
  if (!found) return manifest;
  const merged = [...localization].map(([locale, keys]) => [locale, Object.fromEntries(keys)]);
  return parseManifest({
    ...manifest,
    vcloud: { ...manifest.vcloud, localization: Object.fromEntries(merged) as unknown },
  });
}

function checkSize(contents: readonly Uint8Array[]): void {
  const bytes = contents.reduce((sum, content) => sum + content.byteLength, 0);
  if (bytes > MAX_BYTES)
    throw new HostError('BUNDLE_TOO_LARGE', `localization/ has more than ${MAX_BYTES} bytes`);
}

function shown(key: string): string {
  return JSON.stringify(key.slice(0, 80));
}

/** Lengths are checked with the manifest. */
function parse(name: string, content: Uint8Array): Record<string, string> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content));
  } catch (error) {
    throw new HostError('BUNDLE_INVALID', `${name} is not JSON: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new HostError('BUNDLE_INVALID', `${name}: an object of texts by key is wanted`);
  for (const [key, text] of Object.entries(value))
    if (typeof text !== 'string')
      throw new HostError('BUNDLE_INVALID', `${name}: ${shown(key)} is not a text`);
  return value as Record<string, string>;
}
