/**
 * Character data of XML: which characters are legal, and escaping.
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

/** Escape text for an element or a quoted attribute. Expects legal characters only. */
export function escapeXml(text: string): string {
  return text.replaceAll(/[&<>"'\t\n\r]/g, (character) => ESCAPES[character] ?? character);
}

/** Replace every character that XML can not hold, for texts that must go out whatever they are. */
export function legalize(text: string): string {
  return text.replaceAll(ILLEGAL_CHARACTERS, '\uFFFD');
}
