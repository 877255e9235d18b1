/**
 * Character data of XML: which characters are legal, escaping and the entities that are understood.
 * May import: nothing.
 */

/** A character that XML 1.0 forbids even when escaped (section 2.2), lone surrogates included. */
export const ILLEGAL_CHARACTER =
  /[\0-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

const ILLEGAL_CHARACTERS = new RegExp(ILLEGAL_CHARACTER.source, 'g');

/** Written as references so that attribute and line-end normalization leave them as they are. */
const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

const BUILT_IN: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
};

/** Escape text for an element or a quoted attribute. Expects legal characters only. */
export function escapeXml(text: string): string {
  return text.replaceAll(/[&<>"'\t\n\r]/g, (character) => ESCAPES[character] ?? character);
}

/** Replace every character that XML can not hold, for texts that must go out whatever they are. */
export function legalize(text: string): string {
  return text.replaceAll(ILLEGAL_CHARACTERS, '\uFFFD');
}

/** Decode the five built-in and numeric entities; null when there is any other, or a bare `&`. */
export function decodeEntities(text: string): string | null {
  if (!text.includes('&')) return text;
  let valid = true;
  const decoded = text.replaceAll(/&([^;&]{0,12};?)/g, (_, body: string) => {
    const character = body.endsWith(';') ? entity(body.slice(0, -1)) : null;
    if (character === null) valid = false;
    return character ?? '';
  });
  return valid ? decoded : null;
}

function entity(name: string): string | null {
  if (Object.hasOwn(BUILT_IN, name)) return BUILT_IN[name] ?? null;
  const digits = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(name);
  if (!digits) return null;
  const code = digits[1] ? Number.parseInt(digits[1], 16) : Number(digits[2]);
  if (code > 0x10ffff) return null;
  const character = String.fromCodePoint(code);
  return ILLEGAL_CHARACTER.test(character) ? null : character;
}
