/**
 * Places in the bundled script, as guests' stacks name them, turned into places of the author's own files.
 * May import: nothing.
 */
import { SourceMap } from 'node:module';

/** As runners name the script: `plugin:main.js:LINE:COLUMN`. */
const PLACE = /plugin:main\.js:(\d+):(\d+)/g;

/** Maps are large and asked for seldom: the parsed ones are few. */
const MAX_PARSED = 8;
/**
 * Maps are their authors' and any text may trigger one to be parsed, in this process: larger ones are not. A million
 * entries take the better part of a second and 90 MB; those of a megabyte of minified script are about 200,000.
 */
const MAX_CHARS = 8_388_608;
const MAX_ENTRIES = 300_000;
const MAX_SOURCES = 10_000;
const MAX_NAME = 200;
const COMMA = 0x2c;
const SEMICOLON = 0x3b;
const parsed = new Map<string, SourceMap | null>();

/** The text with every place that the map knows replaced; as it was when there is no map. */
export function mapPlaces(text: string, sourceMap: string | null): string {
  if (sourceMap === null || !text.includes('plugin:main.js:')) return text;
  const map = parse(sourceMap);
  if (!map) return text;
  return text.replaceAll(PLACE, (place, line: string, column: string) => {
    const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
    if (!('originalSource' in entry) || !entry.originalSource) return place;
    const name = entry.originalSource.slice(0, MAX_NAME);
    return `${name}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}

function parse(text: string): SourceMap | null {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const [oldest] = parsed.keys();
  if (parsed.size >= MAX_PARSED && oldest !== undefined) parsed.delete(oldest);
  let map: SourceMap | null = null;
  try {
    map = read(text);
  } catch {
    // An author's broken map costs them the places, and nobody anything else.
  }
  parsed.set(text, map);
  return map;
}

/** Null for what is too large, or no map of one script; throws for what is no JSON. Only what places need is kept. */
function read(text: string): SourceMap | null {
  if (text.length > MAX_CHARS) return null;
  const { sources, mappings } = JSON.parse(text) as { sources?: unknown; mappings?: unknown };
  if (typeof mappings !== 'string' || entriesOf(mappings) > MAX_ENTRIES) return null;
  if (!Array.isArray(sources) || sources.length > MAX_SOURCES) return null;
  const names = sources.map((source) => (typeof source === 'string' ? source : ''));
  return new SourceMap({
    file: '',
    version: 3,
    sources: names,
    sourcesContent: [],
    names: [],
    mappings,
    sourceRoot: '',
  });
}

function entriesOf(mappings: string): number {
  let entries = 1;
  for (let at = 0; at < mappings.length; at += 1) {
    const char = mappings.charCodeAt(at);
    if (char === COMMA || char === SEMICOLON) entries += 1;
  }
  return entries;
}
