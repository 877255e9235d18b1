/**
 * Turns a delivery into a call: tolerant of what real cells send, strict about what it passes on.
 * The message is described in vCloud's programming guide ("extension services") and observed in
 * VMware's own consumers: a JSON array of the HTTP message, the security context and a context.
 * May import: kernel.
 */
import type { Code } from '../kernel/errors.ts';
import type { Call, Identity, ReplyAddress } from './call.ts';
import type { Delivery } from './delivery.ts';
import { guestRequestHeaders } from './headers.ts';
import { canonicalPath } from './path.ts';

export interface DecodeOptions {
  /** Largest message that is parsed. */
  readonly maxMessageBytes: number;
  /** URN of the provider's System org. */
  readonly systemOrg: string;
}

/** A refusal that can be sent: the address and the id are known. */
export interface Refusal {
  readonly code: Code;
  readonly message: string;
}

export type Decoded =
  | { readonly kind: 'call'; readonly call: Call }
  /** Can be answered with a coded refusal. */
  | {
      readonly kind: 'refused';
      readonly refusal: Refusal;
      readonly id: string;
      readonly address: ReplyAddress;
      readonly accept: string;
    }
  /** Nobody can be answered: park it. */
  | { readonly kind: 'unanswerable'; readonly code: Code; readonly why: string };

type Json = Readonly<Record<string, unknown>>;

const MAX_RIGHTS = 20_000;
const METHOD = /^[A-Z]{1,16}$/;
const URN = /^urn:vcloud:[A-Za-z]+:[A-Za-z0-9._-]{1,128}$/;

export function decodeDelivery(delivery: Delivery, options: DecodeOptions): Decoded {
  const address = replyAddress(delivery);
  const parsed = parseBody(delivery.body, options.maxMessageBytes);
  const id = parsed.ok ? textField(parsed.http, 'id') : '';
  const unanswerable = whyUnanswerable(address, parsed, id);
  if (unanswerable) return unanswerable;

  const http = (parsed as ParsedBody).http;
  const headers = headerList(http['headers']);
  const accept = headerValue(headers, 'accept') ?? '';
  const result = readCall(delivery, parsed as ParsedBody, headers, options);
  if ('code' in result)
    return { kind: 'refused', refusal: result, id, address: address as ReplyAddress, accept };
  return {
    kind: 'call',
    call: { ...result, id, accept, address: address as ReplyAddress },
  };
}

function whyUnanswerable(
  address: ReplyAddress | null,
  parsed: ParsedBody | Unparsed,
  id: string,
): Decoded | null {
  if (!parsed.ok) return { kind: 'unanswerable', code: parsed.code, why: parsed.why };
  if (!address)
    return {
      kind: 'unanswerable',
      code: 'REPLY_ADDRESS_MISSING',
      why: 'no replyToExchange header or no reply_to property',
    };
  if (id === '' || id.length > 16_384)
    return { kind: 'unanswerable', code: 'MESSAGE_INVALID', why: 'the field `id` is missing' };
  return null;
}

type CallBody = Omit<Call, 'id' | 'address' | 'accept'>;

function readCall(
  delivery: Delivery,
  parsed: ParsedBody,
  allHeaders: readonly [string, string][],
  options: DecodeOptions,
): CallBody | Refusal {
  const { http, security } = parsed;
  const kind = messageKind(header(delivery.headers, 'messageType'));
  if (!kind) return { code: 'MESSAGE_TYPE_UNKNOWN', message: 'unknown messageType header' };
  const target = kind === 'response' && !hasTarget(http) ? NO_TARGET : readTarget(http);
  if ('code' in target) return target;
  const identity = readIdentity(security, options.systemOrg);
  if ('code' in identity) return identity;
  const statusCode = readStatus(http['statusCode'], kind);
  if (statusCode === null) return invalid('`statusCode` of the response is not an HTTP status');
  const body = readBody(http['body']);
  if ('code' in body) return body;
  return {
    kind,
    exchange: delivery.exchange,
    routingKey: delivery.routingKey,
    ...target,
    host: hostName(headerValue(allHeaders, 'host')),
    // A response travels back unchanged; what a guest may see of it is decided where one is asked.
    headers: kind === 'response' ? allHeaders : guestRequestHeaders(allHeaders),
    body: body.base64,
    bodyBytes: body.bytes,
    statusCode,
    identity,
    replyBy: timestamp(delivery.headers['replyByTimestamp']),
    arrivedAt: delivery.arrivedAt,
    redelivered: delivery.redelivered,
  };
}

function replyAddress(delivery: Delivery): ReplyAddress | null {
  const exchange = header(delivery.headers, 'replyToExchange');
  if (typeof exchange !== 'string' || exchange === '' || !delivery.replyTo) return null;
  return { exchange, routingKey: delivery.replyTo, correlationId: delivery.correlationId };
}

interface ParsedBody {
  readonly ok: true;
  readonly http: Json;
  readonly security: unknown;
}
interface Unparsed {
  readonly ok: false;
  readonly code: Code;
  readonly why: string;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function parseBody(bytes: Uint8Array, maxBytes: number): ParsedBody | Unparsed {
  if (bytes.byteLength > maxBytes)
    return { ok: false, code: 'MESSAGE_TOO_LARGE', why: `${bytes.byteLength} bytes` };
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(bytes));
  } catch {
    return { ok: false, code: 'MESSAGE_NOT_JSON', why: 'not JSON in UTF-8' };
  }
  const [http, security] = Array.isArray(value) ? (value as unknown[]) : [value, null];
  if (!isObject(http))
    return { ok: false, code: 'MESSAGE_NOT_JSON', why: 'the first element is not an object' };
  return { ok: true, http, security };
}

function messageKind(value: unknown): Call['kind'] | null {
  if (value === 'ProcessHttpRequest' || value === undefined || value === null) return 'request';
  return value === 'ProcessHttpResponse' ? 'response' : null;
}

type Target = Pick<Call, 'method' | 'path' | 'rawPath' | 'query'>;

/** What a response answers is not documented to be said in it; nothing is routed by it. */
const NO_TARGET: Target = { method: 'GET', path: '/', rawPath: '/', query: '' };

function hasTarget(http: Json): boolean {
  return ['method', 'requestUri', 'requestURI'].some((name) => textField(http, name) !== '');
}

function readTarget(http: Json): Target | Refusal {
  const method = textField(http, 'method').toUpperCase();
  if (!METHOD.test(method)) return invalid('`method` is not an HTTP method');
  const uri = textField(http, 'requestUri') || textField(http, 'requestURI');
  if (uri === '') return invalid('`requestUri` is missing');
  const cut = uri.indexOf('?');
  const rawPath = cut < 0 ? uri : uri.slice(0, cut);
  const query = http['queryString'] ?? (cut < 0 ? '' : uri.slice(cut + 1));
  if (typeof query !== 'string') return invalid('`queryString` is neither text nor null');
  const canonical = canonicalPath(rawPath);
  if (!canonical.ok) return { code: 'PATH_AMBIGUOUS', message: canonical.why };
  return { method, path: canonical.path, rawPath, query };
}

function readIdentity(security: unknown, systemOrg: string): Identity | Refusal {
  if (!isObject(security)) return invalid('the security context is missing');
  const user = textField(security, 'user');
  const org = textField(security, 'org');
  if (!URN.test(user)) return invalid('`user` of the security context is not a URN');
  if (!URN.test(org)) return invalid('`org` of the security context is not a URN');
  const rights = readRights(security['rights']);
  if (!rights) return invalid('`rights` of the security context is not a list of URNs');
  return { user, org, rights, provider: org === systemOrg };
}

/** Documented as "comma-separated list", seen as an array, null over MQTT. */
function readRights(value: unknown): ReadonlySet<string> | null {
  if (value === null || value === undefined) return new Set();
  const list: unknown[] | null =
    typeof value === 'string'
      ? value.split(',').map((right) => right.trim())
      : Array.isArray(value)
        ? value
        : null;
  if (!list || list.length > MAX_RIGHTS) return null;
  if (!list.every((right) => typeof right === 'string')) return null;
  const rights = new Set(list);
  rights.delete('');
  return rights;
}

function readBody(value: unknown): { base64: string | null; bytes: number } | Refusal {
  if (value === null || value === undefined || value === '') return { base64: null, bytes: 0 };
  const base64 = typeof value === 'string' ? inOneLine(value) : '';
  if (base64 === '' || !isBase64(base64))
    return { code: 'BODY_NOT_BASE64', message: 'the body is not base64' };
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0;
  return { base64, bytes: (base64.length / 4) * 3 - padding };
}

/** Some encoders of Java break lines as MIME has them; the guest's decoder takes none. */
function inOneLine(text: string): string {
  return text.includes('\n') ? text.replaceAll(/\r?\n/g, '') : text;
}

/** A request carries 0 or nothing; a response must say how it ended. Null for neither. */
function readStatus(value: unknown, kind: Call['kind']): number | null {
  if (kind === 'request') return 0;
  const isStatus = typeof value === 'number' && Number.isInteger(value);
  return isStatus && value >= 100 && value <= 599 ? value : null;
}

/** Strict standard base64: quantum of four, padding only at the end. */
function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}

function headerList(value: unknown): [string, string][] {
  if (!isObject(value)) return [];
  const list: [string, string][] = [];
  // JSON objects have no inherited names; no lists in between, since this is done for every message.
  for (const name in value) {
    const text = headerText(value[name]);
    if (text !== null && HEADER_NAME.test(name) && !/[\r\n\0]/.test(text)) list.push([name, text]);
  }
  return list;
}

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

function headerText(content: unknown): string | null {
  if (typeof content === 'string') return content;
  if (typeof content === 'number') return String(content);
  if (!Array.isArray(content)) return null;
  return content.filter((part) => typeof part === 'string').join(', ');
}

function headerValue(headers: readonly [string, string][], lower: string): string | undefined {
  for (const [name, text] of headers)
    if (name.length === lower.length && name.toLowerCase() === lower) return text;
  return undefined;
}

/** An AMQP header by name in any case. */
function header(headers: Readonly<Record<string, unknown>>, name: string): unknown {
  const exact = headers[name];
  if (exact !== undefined) return exact;
  const lower = name.toLowerCase();
  const key = Object.keys(headers).find((candidate) => candidate.toLowerCase() === lower);
  return key === undefined ? undefined : headers[key];
}

function hostName(value: string | undefined): string {
  return value && /^[A-Za-z0-9.-]{1,253}(?::\d{1,5})?$/.test(value) ? value : 'vcloud';
}

function timestamp(value: unknown): number | null {
  const number = typeof value === 'bigint' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) && number > 0 ? number : null;
}

function textField(object: Json, name: string): string {
  const value = object[name];
  return typeof value === 'string' ? value : '';
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(message: string): Refusal {
  return { code: 'MESSAGE_INVALID', message };
}
