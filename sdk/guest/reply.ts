/**
 * A Response as the text that crosses: checked and bounded in here, checked again outside.
 * May import: abi, platform, primordials.
 */
import { utf8 } from './platform/encoding.ts';
import { getResponseState } from './platform/fetch.ts';
import { PlainState } from './platform/plain-state.ts';
import { SourceBody } from './platform/source-body.ts';
import type { ReadableStream } from './platform/streams.ts';
import { execPattern, isInteger, quote, toBase64, typedArrayName } from './primordials.ts';

const MAX_HEADERS = 100;
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

/** Characters that would end a header line early, or that a header can not hold. */
const BREAKS = /[\0\r\n\u0100-\uffff]/;

function breaks(text: string): boolean {
  return execPattern(BREAKS, text) !== null;
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
      throw new ReplyError('invalid', 'The response has more than 100 headers, or 64 KB of them');
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

/** UTF-8 bytes of one UTF-16 unit at most. */
const MAX_UNIT_BYTES = 3;

/** A text of any length that has at most `maxBytes` bytes; making bytes of it is left to the runner. */
function boundedText(text: string, maxBytes: number): string {
  const { length } = text;
  if (length > maxBytes || (length * MAX_UNIT_BYTES > maxBytes && utf8(text).length > maxBytes))
    throw tooLarge(maxBytes);
  return text;
}

/** The rest of the reply behind its headers when body and length are at hand, or null when a stream must be read. */
function readyBody(body: Body, maxBytes: number): string | null {
  if (body === null) return ',"body":""}';
  if (!(body instanceof SourceBody) || !body.whole) return null;
  const source = body.take();
  if (typeof source === 'string') return `\n${boundedText(source, maxBytes)}`;
  if (source.length > maxBytes) throw tooLarge(maxBytes);
  return `,"body":"${toBase64(source)}"}`;
}

interface State {
  readonly status: number;
  readonly headersList: ListLike;
  readonly body?: Body;
}

function headOf({ status, headersList }: State): string {
  if (!isInteger(status) || status < 200 || status > 599)
    throw new ReplyError('invalid', `Status ${status} is not in the range 200 to 599`);
  return `{"status":${status},"headers":[${headersText(headersList)}]`;
}

async function streamedBody(body: Body, maxBytes: number): Promise<string> {
  const stream = (body as { stream: InstanceType<typeof ReadableStream> }).stream;
  if (stream.locked || (body instanceof SourceBody && body.disturbed))
    throw new ReplyError('invalid', 'The body of the response has been read already');
  return toBase64(await readAll(stream, maxBytes));
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'undefined: is a `return` missing?';
  if (value === null) return 'null';
  if (typeof value !== 'object') return `a ${typeof value}: \`new Response(…)\` makes one of it`;
  return 'an object: `Response.json(…)` makes one of it';
}

/** What `reply` posts, or a promise of it when the body is a stream. Throws `ReplyError`. */
export function replyText(response: unknown, maxBytes: number): string | Promise<string> {
  const state = getResponseState(response) as State | undefined;
  if (state === undefined)
    throw new ReplyError('invalid', `The handler returned no Response but ${kindOf(response)}`);
  const { body = null } = state;
  const type = PlainState.typeOf(state);
  const head =
    type === null ? headOf(state) : `{"status":200,"headers":[["content-type","${type}"]]`;
  const rest = readyBody(body, maxBytes);
  if (rest !== null) return head + rest;
  return streamedBody(body, maxBytes).then((text) => `${head},"body":"${text}"}`);
}
