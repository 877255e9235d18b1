/** Authors read the SDK in their editors: everything exported says there what it is for. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

const SDK = join(import.meta.dirname, '../../../sdk');

interface Declared {
  readonly name: string;
  /** The docstring right above it, or empty. */
  readonly docstring: string;
}

function declarations(folder: string): Declared[] {
  return readdirSync(join(SDK, folder)).flatMap((file) => {
    const text = readFileSync(join(SDK, folder, file), 'utf8');
    const found = text.matchAll(
      /(\/\*\*(?:(?!\*\/)[^])*\*\/\n)?^export (?:async )?(?:interface|type|function|const|class) (\w+)/gm,
    );
    return [...found].map(([, docstring = '', name = '']) => ({ name, docstring }));
  });
}

/** What the entry module gives on, and under which own name it is declared. */
function exportsOf(entry: string): string[] {
  const text = readFileSync(join(SDK, entry), 'utf8');
  const given = [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, names = '']) =>
    names
      .split(',')
      .map((name) =>
        name
          .trim()
          .replace(/^type /, '')
          .replace(/ as .*/, ''),
      )
      .filter((name) => name !== ''),
  );
  const own = [...text.matchAll(/^export (?:async )?(?:interface|function|const) (\w+)/gm)];
  return [...given, ...own.map(([, name = '']) => name)];
}

test.each([
  ['src/index.ts', ['src']],
  ['testing/index.ts', ['testing', 'src']],
])('every export of %s has a docstring', (entry, folders) => {
  const known = folders.flatMap(declarations);
  const names = exportsOf(entry);
  expect(names.length).toBeGreaterThan(5);
  const bare = names.filter((name) => {
    const all = known.filter((one) => one.name === name);
    return all.length === 0 || all.some(({ docstring }) => docstring.length < 20);
  });
  expect(bare).toEqual([]);
});

test('the guide explains every key of the manifest and every binding', () => {
  const guide = readFileSync(join(SDK, 'README.md'), 'utf8');
  const schema = JSON.parse(readFileSync(join(SDK, 'plugin.schema.json'), 'utf8')) as {
    properties: Record<string, { properties?: Record<string, unknown> }>;
  };
  const { vcloud } = schema.properties;
  const keys = [
    ...Object.keys(schema.properties),
    ...Object.keys(vcloud?.properties ?? {}).map((key) => `vcloud.${key}`),
  ];
  const missing = keys.filter((key) => key !== '$schema' && !guide.includes(`\`${key}\``));
  expect(missing).toEqual([]);
  const bindings = ['kv', 'secrets', 'fetch', 'vcloud', 'tasks', 'events'];
  expect(bindings.filter((name) => !guide.includes(`| \`${name}\` |`))).toEqual([]);
});
