/**
 * Text of strangers made fit for a person's terminal.
 * May import: nothing.
 *
 * Guests choose names, log lines and errors: control characters could move the cursor or rename the window, and
 * marks of direction could make a line read as another.
 */

const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** What `JSON.stringify` leaves as it is. */
const UNSEEN_IN_JSON = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** One line: whatever is not seen is written as `\n`, `\x1b` or `\u{202e}`. */
export function printable(text: string): string {
  return text.replaceAll(UNSEEN, (one) => {
    const code = one.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    return SHORT[one] ?? (code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`);
  });
}

/** JSON text that means the same. */
export function printableJson(json: string): string {
  return json.replaceAll(UNSEEN_IN_JSON, (one) =>
    Array.from(
      { length: one.length },
      (_, i) => `\\u${one.charCodeAt(i).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}
