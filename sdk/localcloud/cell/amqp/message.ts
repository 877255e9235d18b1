/**
 * The AMQP messages between a cell and a service: builds requests, reads replies in both envelopes.
 * May import: model.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

import type { User } from '../model.ts';

export type MessageType = 'ProcessHttpRequest' | 'ProcessHttpResponse';

export interface CellRequest {
  readonly type: MessageType;
  /** The unique id of the message, which the reply must repeat. */
  readonly id: string;
  readonly body: Buffer;
}

/** The service's answer for the client. */
export interface CellReply {
  readonly kind: 'response';
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer<ArrayBuffer>;
}

/** The request, perhaps changed, on its way to the next service or to the cell itself. */
export interface CellForward {
  readonly kind: 'request';
  readonly method: string;
  readonly requestUri: string;
  readonly queryString: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer<ArrayBuffer>;
}

/** The first element of a message: a request, or the response to it. Keys in a real cell's order. */
export interface HttpMessage {
  readonly method: string;
  readonly requestUri: string;
  readonly queryString: string | null;
  readonly protocol: string;
  readonly scheme: string;
  readonly remoteAddr: string;
  readonly remotePort: number;
  readonly localAddr: string;
  readonly localPort: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Base64; empty when there is none. */
  readonly body: string;
  /** 0 on requests. */
  readonly statusCode: number;
  readonly request: boolean;
}

/** Path and query as they came over the wire, nothing decoded or tidied up. */
export function targetOf(incoming: IncomingMessage): { path: string; query: string | null } {
  const target = (incoming.url ?? '/').replace(/^https?:\/\/[^/?#]*/i, '');
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  return { path: path === '' ? '/' : path, query: mark < 0 ? null : target.slice(mark + 1) };
}

/** One string per name in the client's own spelling; repeated headers are joined as HTTP says. */
function headersOf(incoming: IncomingMessage): Record<string, string> {
  const found = new Map<string, [string, string]>();
  for (let at = 0; at + 1 < incoming.rawHeaders.length; at += 2) {
    const name = incoming.rawHeaders[at] ?? '';
    const value = incoming.rawHeaders[at + 1] ?? '';
    const known = found.get(name.toLowerCase());
    const glue = name.toLowerCase() === 'cookie' ? '; ' : ', ';
    if (known) known[1] += glue + value;
    else found.set(name.toLowerCase(), [name, value]);
  }
  return Object.fromEntries(found.values());
}

/** What a client has asked, as services get to see it. */
export function requestMessage(incoming: IncomingMessage, body: Uint8Array): HttpMessage {
  const { path, query } = targetOf(incoming);
  const { socket } = incoming;
  return {
    method: incoming.method ?? 'GET',
    requestUri: path,
    queryString: query,
    protocol: `HTTP/${incoming.httpVersion}`,
    scheme: 'http',
    remoteAddr: socket.remoteAddress ?? '',
    remotePort: socket.remotePort ?? 0,
    localAddr: socket.localAddress ?? '',
    localPort: socket.localPort ?? 0,
    headers: headersOf(incoming),
    body: Buffer.from(body).toString('base64'),
    statusCode: 0,
    request: true,
  };
}

/** Encode a message: an array of HTTP message, security context and null. */
export function encodeMessage(
  message: HttpMessage,
  who: { readonly user: User; readonly rights: readonly string[] },
): CellRequest {
  const id = randomUUID();
  const context = {
    parameters: null,
    user: `urn:vcloud:user:${who.user.id}`,
    org: `urn:vcloud:org:${who.user.org.id}`,
    rights: who.rights,
  };
  const body = Buffer.from(JSON.stringify([{ id, ...message }, context, null]), 'utf8');
  return { type: message.request ? 'ProcessHttpRequest' : 'ProcessHttpResponse', id, body };
}

/** Headers that are vCloud's own business, and those that belong to one connection. */
const STRIPPED = new Set([
  'x-vcloud-authorization',
  'authorization',
  'set-cookie',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'trailer',
]);

/** An answer's headers as services get to see them: no tokens, nothing of the connection. */
export const answerHeaders = (headers: Headers): Record<string, string> =>
  Object.fromEntries([...headers].filter(([name]) => !STRIPPED.has(name)));

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

function replyHeaders(value: unknown): (readonly [string, string])[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, content]: [string, unknown]) => {
    const scalar = typeof content === 'string' || typeof content === 'number';
    const text = scalar ? String(content) : '';
    const fine = scalar && NAME.test(name) && /^[\t\x20-\x7E\x80-\xFF]*$/.test(text);
    return fine && !STRIPPED.has(name.toLowerCase()) ? [[name, text] as const] : [];
  });
}

type Fields = Readonly<Record<string, unknown>>;

function parse(content: Uint8Array): Fields | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(content).toString('utf8'));
  } catch {
    return undefined;
  }
  const reply = (Array.isArray(parsed) ? parsed[0] : parsed) as unknown;
  return typeof reply === 'object' && reply !== null ? (reply as Fields) : undefined;
}

function readForward(fields: Fields, body: Buffer<ArrayBuffer>): CellForward | undefined {
  const { method, requestUri, queryString, headers } = fields;
  if (typeof method !== 'string' || !NAME.test(method)) return undefined;
  if (typeof requestUri !== 'string' || !requestUri.startsWith('/')) return undefined;
  const query = typeof queryString === 'string' ? queryString : null;
  const given = typeof headers === 'object' && headers !== null ? Object.entries(headers) : [];
  const texts = given.filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  const kept = Object.fromEntries(texts);
  return { kind: 'request', method, requestUri, queryString: query, headers: kept, body };
}

function readResponse(fields: Fields, body: Buffer<ArrayBuffer>): CellReply | undefined {
  const { statusCode, headers } = fields;
  const inRange = typeof statusCode === 'number' && statusCode >= 200 && statusCode <= 599;
  if (!inRange || !Number.isInteger(statusCode)) return undefined;
  return { kind: 'response', status: statusCode, headers: replyHeaders(headers), body };
}

/**
 * The reply to the message with that id, from an array of one or the bare object; undefined if it is none. A request
 * may be answered by a request, which then goes on; a response only by a response.
 */
export function decodeReply(
  content: Uint8Array,
  { id, type }: Pick<CellRequest, 'id' | 'type'>,
): CellReply | CellForward | undefined {
  const fields = parse(content);
  if (!fields || fields['id'] !== id) return undefined;
  const text = fields['body'] ?? '';
  if (typeof text !== 'string') return undefined;
  const body = Buffer.from(text, 'base64');
  if (fields['request'] === true && type === 'ProcessHttpRequest') return readForward(fields, body);
  return readResponse(fields, body);
}
