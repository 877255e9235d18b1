/** Validates documents against the vendor's schemas, where a checkout of them lies beside this repository. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { memoryPages, validateXML } from 'xmllint-wasm';

const FOLDER = resolve(import.meta.dirname, '../../../../shared/reference/xsd');
const ROOT = '1.5/schemas/extension/vmwextensions.xsd';

/** False where the schemas are not at hand; a test says so then. */
export const hasSchemas = existsSync(join(FOLDER, ROOT));

/** Errors by the name of the document; a valid one has none. */
export async function validate(
  documents: Readonly<Record<string, string>>,
): Promise<Record<string, string[]>> {
  const names = Object.keys(documents);
  const errors: Record<string, string[]> = Object.fromEntries(names.map((name) => [name, []]));
  const { errors: found } = await validateXML({
    xml: names.map((name) => ({ fileName: `${name}.xml`, contents: documents[name] ?? '' })),
    schema: [schemaFile(ROOT)],
    preload: schemaNames()
      .filter((name) => name !== ROOT)
      .map(schemaFile),
    initialMemoryPages: 64 * memoryPages.MiB,
    maxMemoryPages: 512 * memoryPages.MiB,
  });
  for (const { loc, message, rawMessage } of found) {
    const name = (loc?.fileName ?? rawMessage.split('.xml')[0] ?? '').replace(/\.xml$/, '');
    (errors[name] ??= []).push(message || rawMessage);
  }
  return errors;
}

function schemaNames(): string[] {
  return readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.xsd'))
    .map((name) => name.split(sep).join('/'));
}

/** The validator's file system has no folders: paths become names, and references follow. */
function schemaFile(name: string) {
  const folder = dirname(join(FOLDER, name));
  const contents = readFileSync(join(FOLDER, name), 'utf8').replaceAll(
    /schemaLocation="([^"]+)"/g,
    (_, target: string) => `schemaLocation="${flat(relative(FOLDER, join(folder, target)))}"`,
  );
  return { fileName: flat(name), contents };
}

function flat(path: string): string {
  return path.replaceAll(/[/\\]/g, '__');
}
