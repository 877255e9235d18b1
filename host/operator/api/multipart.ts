/**
 * `multipart/form-data` with a few known parts, as views into the body.
 * May import: kernel.
 *
 * Our own reading: the platform's `formData()` makes an object of every part, and a body of the size of a bundle
 * can have a million of them.
 */
import { HostError } from '../../kernel/errors.ts';

const MAX_HEADER_BYTES = 2_048;
const CRLF = Buffer.from('\r\n');

/** Parts by name, each of `names` at most once. Throws OPERATOR_INPUT for any other form, and for a cut one. */
export function readMultipart(
  body: Buffer,
  contentType: string,
  names: readonly string[],
): ReadonlyMap<string, Buffer> {
  const delimiter = Buffer.from(`\r\n--${boundaryOf(contentType)}`);
  const parts = new Map<string, Buffer>();
  // The first delimiter may lack the line break before it.
  let at = delimiter.length - CRLF.length;
  if (!body.subarray(0, at).equals(delimiter.subarray(CRLF.length)))
    throw refused('does not begin with its boundary');
  for (;;) {
    const next = body.subarray(at, at + 2).toString('latin1');
    if (next === '--') return parts;
    if (next !== '\r\n') throw refused('is cut short');
    const { name, contentAt } = readHeader(body, at);
    const end = body.indexOf(delimiter, contentAt);
    if (end < 0) throw refused('is cut short');
    if (!names.includes(name)) throw refused(`may have the parts ${names.join(', ')} only`);
    if (parts.has(name)) throw refused(`has the part ${name} twice`);
    parts.set(name, body.subarray(contentAt, end));
    at = end + delimiter.length;
  }
}

/** `at` is at the line break after the delimiter; content begins after the empty line. */
function readHeader(body: Buffer, at: number): { name: string; contentAt: number } {
  const head = body.subarray(at, at + MAX_HEADER_BYTES);
  const end = head.indexOf('\r\n\r\n');
  if (end < 0) throw refused('has a part without, or with too large a header');
  const disposition = head
    .subarray(CRLF.length, Math.max(CRLF.length, end))
    .toString('latin1')
    .split('\r\n')
    .find((line) => /^content-disposition:\s*form-data\s*;/i.test(line));
  const name = /;\s*name="([^"]*)"/i.exec(disposition ?? '')?.[1];
  if (name === undefined) throw refused('has a part without a name');
  return { name, contentAt: at + end + 4 };
}

/** RFC 2046, 5.1.1: at most 70 characters. */
function boundaryOf(contentType: string): string {
  const [, quoted, bare] =
    /;\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s;",]{1,70}))\s*(?:;|$)/i.exec(contentType) ?? [];
  const boundary = quoted ?? bare;
  if (boundary === undefined) throw refused('names no boundary');
  return boundary;
}

function refused(why: string): HostError {
  return new HostError('OPERATOR_INPUT', `body: the multipart form ${why}`);
}
