/**
 * Reads what a guest posts: messages kept until they were taken, and replies; the forms are in `sdk/guest/abi.ts`.
 * May import: nothing.
 */

export type OnMessage = (kind: string, id: number, text: string) => void;

/** A guest whose prelude keeps to the form has no more in one text. */
const MAX_MESSAGES = 100_000;

/** Call back for each message; what follows a place that is not in the form is left out. */
export function readMessages(all: string, onMessage: OnMessage): void {
  let at = 0;
  for (let count = 0; count < MAX_MESSAGES && at < all.length; count++) {
    const afterKind = all.indexOf('\n', at);
    const afterId = all.indexOf('\n', afterKind + 1);
    const afterLength = all.indexOf('\n', afterId + 1);
    if (afterKind < 0 || afterId < 0 || afterLength < 0) return;
    const id = Number(all.slice(afterKind + 1, afterId));
    const length = Number(all.slice(afterId + 1, afterLength));
    const start = afterLength + 1;
    if (!Number.isSafeInteger(id) || !(length >= 0 && start + length <= all.length)) return;
    onMessage(all.slice(at, afterKind), id, all.slice(start, start + length));
    at = start + length;
  }
}

/** A reply as JSON with its body in base64; a body that came as text is turned into bytes here. */
export function replyJson(text: string): string {
  const end = text.indexOf('\n');
  if (end < 0) return text;
  const body = Buffer.from(text.slice(end + 1)).toString('base64');
  return `${text.slice(0, end)},"body":"${body}"}`;
}
