/**
 * From a manifest to the record that vCloud should have of its service.
 * May import: vcloud.
 */
import type { ServiceSpec } from '../../vcloud/service-spec.ts';
import type { Manifest } from '../manifest/manifest.ts';

export function serviceSpec({ vcloud, description }: Manifest): ServiceSpec {
  const { localization, ...rest } = vcloud;
  // The schema never leaves a key without a value behind, though its type can't say so.
  return {
    ...rest,
    ...(localization ? { localization: { files: propertyFiles(localization) } } : {}),
    ...(description === undefined ? {} : { description }),
    enabled: true,
  } as ServiceSpec;
}

/** One `.properties` file a locale, keys sorted so that equal texts give equal files. */
function propertyFiles(
  texts: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(texts).map(([locale, entries]) => {
      const lines = Object.entries(entries).map(
        ([key, text]) => `${escapeKey(key)}=${escape(text).replace(/^ /, String.raw`\ `)}`,
      );
      return [`${locale}.properties`, `${lines.sort().join('\n')}\n`];
    }),
  );
}

/** As `java.util.Properties` reads it; anything but ASCII by number, since the encoding is not documented. */
function escape(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t')
    .replaceAll(
      /[^\x20-\x7e]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
}

function escapeKey(key: string): string {
  return escape(key).replaceAll(/[ =:#!]/g, String.raw`\$&`);
}
