/**
 * A Response as the text that crosses: checked and bounded in here, checked again outside.
 * May import: abi, platform, primordials.
 */
import { utf8 } from './platform/encoding.ts';
import { getResponseState, isResponse } from './platform/fetch.ts';
import { SourceBody } from './platform/source-body.ts';
import type { ReadableStream } from './platform/streams.ts';
import { charCodeAt, isInteger, quote, toBase64, typedArrayName } from './primordials.ts';

const MAX_HEADERS = 200;
const MAX_HEADER_CHARS = 65_536;

/** Why a Response can not be sent; the dispatcher turns it into a `GuestFailure`. */
export class ReplyError extends Error {
  readonly #reason: 'invalid' | 'tooLarge';
  constructor(reason: 'invalid' | 'tooLarge', message: string) {
    super(message);
    this.#reason = reason;
  }
  /** The reason, or null for anything else that was thrown; unlike `instanceof`, it runs no trap of a proxy. */
  static reasonOf(thrown: unknown): 'invalid' | 'tooLarge' | null {
    if (typeof thrown !== 'object' || thrown === null || !(#reason in thrown)) return null;
    return thrown.#reason;
  }
}

const tooLarge = (maxBytes: number): ReplyError =>
  new ReplyError('tooLarge', `The response body is longer than ${maxBytes} bytes`);

/** Characters that would end a header line early. */
function breaks(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const unit = charCodeAt(text, index);
    if (unit === 13 || unit === 10 || unit === 0 || unit > 255) return true;
  }
  return false;
}

function headerText(name: unknown, value: unknown): string {
  if (typeof name !== 'string' || typeof value !== 'string' || breaks(name) || breaks(value))
    throw new ReplyError('invalid', 'A response header is not usable');
  return `[${quote(name)},${quote(value)}]`;
}

interface ListLike {
  readonly cookies: readonly string[] | null;
  rawValues(): Iterable<{ readonly name: string; readonly value: string }>;
}

function headersText(list: ListLike): string {
  let text = '';
  let count = 0;
  const add = (name: unknown, value: unknown): void => {
    text += text === '' ? headerText(name, value) : `,${headerText(name, value)}`;
    if (++count > MAX_HEADERS || text.length > MAX_HEADER_CHARS)
      throw new ReplyError('tooLarge', 'The response has too many header bytes');
  };
  for (const { name, value } of list.rawValues()) {
    if (list.cookies !== null && name.toLowerCase() === 'set-cookie')
      for (const cookie of list.cookies) add(name, cookie);
    else add(name, value);
  }
  return text;
}

function join(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    joined.set(chunk, offset);
    offset += chunk.length;
  }
  return joined;
}

async function readAll(
  stream: InstanceType<typeof ReadableStream>,
  maxBytes: number,
): Promise<Uint8Array> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return join(chunks, length);
    if (typedArrayName(value) !== 'Uint8Array')
      throw new ReplyError('invalid', 'The response body yields something else than bytes');
    chunks.push(value as Uint8Array);
    length += (value as Uint8Array).length;
    if (length > maxBytes) {
      void reader.cancel().catch(() => {}); // nobody reads on, so its failure is of no interest
      throw tooLarge(maxBytes);
    }
  }
}

type Body = SourceBody | { readonly stream: InstanceType<typeof ReadableStream> } | null;

/** Base64 of a body whose bytes are at hand, or null when a stream must be read. */
function readyBody(body: Body, maxBytes: number): string | null {
  if (body === null) return '';
  if (!(body instanceof SourceBody) || !body.whole) return null;
  const source = body.take();
  if (source.length > maxBytes) throw tooLarge(maxBytes);
  const bytes = typeof source === 'string' ? utf8(source) : source;
  if (bytes.length > maxBytes) throw tooLarge(maxBytes);
  return toBase64(bytes);
}

async function streamedBody(body: Body, maxBytes: number): Promise<string> {
  const stream = (body as { stream: InstanceType<typeof ReadableStream> }).stream;
  if (stream.locked || (body instanceof SourceBody && body.disturbed))
    throw new ReplyError('invalid', 'The body of the response has been read already');
  return toBase64(await readAll(stream, maxBytes));
}

/** `GuestReply` as JSON text, or a promise of it when the body is a stream. Throws `ReplyError`. */
export function replyText(response: unknown, maxBytes: number): string | Promise<string> {
  if (!isResponse(response))
    throw new ReplyError('invalid', 'The handler did not return a Response');
  const { status, headersList, body } = getResponseState(response) as {
    status: number;
    headersList: ListLike;
    body: Body;
  };
  if (!isInteger(status) || status < 200 || status > 599)
    throw new ReplyError('invalid', `Status ${status} is not in the range 200 to 599`);
  const head = `{"status":${status},"headers":[${headersText(headersList)}],"body":"`;
  const ready = readyBody(body ?? null, maxBytes);
  if (ready !== null) return `${head}${ready}"}`;
  return streamedBody(body, maxBytes).then((text) => `${head}${text}"}`);
}
