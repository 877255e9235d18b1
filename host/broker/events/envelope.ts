/**
 * What vcx writes on an event that it sends round: attempt, first address, and why it was parked.
 * Such headers count only on messages that came by vcx's own exchange: anybody may write them elsewhere.
 * May import: kernel, message, amqplib.
 */
import { createHash } from 'node:crypto';

import type { Message, MessageFields } from 'amqplib';

import type { Code } from '../../kernel/errors.ts';
import type { ParkedSummary } from '../../message/events.ts';
import type { ParkedRaw } from '../../message/notification/redacted.ts';

type Headers = Readonly<Record<string, unknown>>;

/** An event's way so far. */
export interface Envelope {
  readonly attempt: number;
  readonly exchange: string;
  readonly routingKey: string;
  readonly firstSeenAt: number | null;
  readonly headers: Headers;
  readonly contentType: string | null;
}

const OURS = 'x-vcx-';
const H = {
  attempt: 'x-vcx-attempt',
  exchange: 'x-vcx-exchange',
  routingKey: 'x-vcx-routing-key',
  firstSeen: 'x-vcx-first-seen',
  id: 'x-vcx-id',
  code: 'x-vcx-code',
  reason: 'x-vcx-reason',
  parkedAt: 'x-vcx-parked-at',
  bodyBytes: 'x-vcx-body-bytes',
  bodySha256: 'x-vcx-body-sha256',
} as const;

/** Of vCloud's headers that travel along: names, and bytes in all; amqplib's own bound is 64 KiB. */
const MAX_HEADERS = 64;
const MAX_HEADER_BYTES = 32 * 1_024;
const MAX_REASON = 1_000;
const MAX_ATTEMPT = 1_000_000;

type FieldsOfAny = Pick<MessageFields, 'exchange' | 'routingKey'>;
interface AnyMessage {
  readonly fields: FieldsOfAny;
  readonly properties: Message['properties'];
}

/** Read what was delivered. `ownExchange`: where our headers are trusted. */
export function readEnvelope(message: AnyMessage, ownExchange: string): Envelope {
  const { fields, properties } = message;
  const all: Headers = properties.headers ?? {};
  const contentType = (properties.contentType as string | undefined) ?? null;
  if (fields.exchange !== ownExchange) {
    const { exchange, routingKey } = fields;
    const headers = without(all, OURS);
    return { attempt: 1, exchange, routingKey, firstSeenAt: null, headers, contentType };
  }
  return {
    attempt: wholeOf(all[H.attempt], MAX_ATTEMPT) ?? 1,
    exchange: textOf(all[H.exchange]) ?? fields.exchange,
    routingKey: textOf(all[H.routingKey]) ?? fields.routingKey,
    firstSeenAt: wholeOf(all[H.firstSeen]),
    // On its way round the broker has added its own, of dead-lettering.
    headers: without(all, 'x-'),
    contentType,
  };
}

/** Headers for the next round. */
export function travelHeaders(envelope: Envelope, attempt: number, now: number): Headers {
  return {
    ...carried(envelope.headers),
    [H.attempt]: attempt,
    [H.exchange]: envelope.exchange,
    [H.routingKey]: envelope.routingKey,
    [H.firstSeen]: envelope.firstSeenAt ?? now,
  };
}

/** Headers for a replay: a new life, at the first address. */
export function replayHeaders(envelope: Envelope): Headers {
  return {
    ...carried(envelope.headers),
    [H.attempt]: 1,
    [H.exchange]: envelope.exchange,
    [H.routingKey]: envelope.routingKey,
  };
}

export interface Parking {
  readonly id: string;
  readonly code: Code;
  readonly reason: string;
  readonly now: number;
  /** Leaves out a body that is longer, and says so. */
  readonly maxBodyBytes: number;
}

/** What goes into the parked queue. */
export function parkedCopy(envelope: Envelope, body: Buffer, parking: Parking) {
  const { id, code, reason, now, maxBodyBytes } = parking;
  const headers: Record<string, unknown> = {
    ...travelHeaders(envelope, envelope.attempt, now),
    [H.id]: id,
    [H.code]: code,
    [H.reason]: reason.slice(0, MAX_REASON),
    [H.parkedAt]: now,
  };
  if (body.length <= maxBodyBytes) return { headers, body };
  headers[H.bodyBytes] = body.length;
  headers[H.bodySha256] = createHash('sha256').update(body).digest('hex');
  return { headers, body: Buffer.alloc(0) };
}

/** A message of a parked queue, which anybody with rights on the broker may have put there. */
export function readParked(
  message: Message,
  ownExchange: string,
): ParkedRaw & { envelope: Envelope } {
  const envelope = readEnvelope(message, ownExchange);
  const all: Headers = message.properties.headers ?? {};
  const sha256 = textOf(all[H.bodySha256]);
  const summary: ParkedSummary = {
    id: textOf(all[H.id]) ?? strangerId(message),
    code: textOf(all[H.code]) ?? 'UNKNOWN',
    reason: textOf(all[H.reason], MAX_REASON) ?? 'parked by somebody else',
    parkedAt: wholeOf(all[H.parkedAt]),
    attempts: envelope.attempt,
    exchange: envelope.exchange,
    routingKey: envelope.routingKey,
    bodyBytes: wholeOf(all[H.bodyBytes]) ?? message.content.length,
  };
  const { firstSeenAt, contentType, headers } = envelope;
  return { envelope, summary, firstSeenAt, contentType, headers, body: message.content, sha256 };
}

function strangerId(message: Message): string {
  const digest = createHash('sha256').update(message.fields.routingKey).update(message.content);
  return digest.digest('hex').slice(0, 32);
}

function without(all: Headers, prefix: string): Headers {
  const has = (name: string) => name.toLowerCase().startsWith(prefix);
  if (!Object.keys(all).some(has)) return all;
  return Object.fromEntries(Object.entries(all).filter(([name]) => !has(name)));
}

/**
 * Plain values only, so that nothing is sent on that acts on the broker: `CC` would publish elsewhere too, and
 * `x-death` and its like are the broker's own.
 */
function carried(headers: Headers): Record<string, unknown> {
  let room = MAX_HEADER_BYTES;
  const plain = Object.entries(headers).filter(([name, value]) => {
    if (/^(?:x-|b?cc$)/i.test(name) || !isPlain(value)) return false;
    const size = Buffer.byteLength(name) + Buffer.byteLength(String(value)) + 16;
    if (size > room) return false;
    room -= size;
    return true;
  });
  return Object.fromEntries(plain.slice(0, MAX_HEADERS));
}

function isPlain(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value === 'string' || typeof value === 'boolean';
}

function textOf(value: unknown, max = 255): string | null {
  return typeof value === 'string' && value !== '' && value.length <= max ? value : null;
}

function wholeOf(value: unknown, max = Number.MAX_SAFE_INTEGER): number | null {
  const isWhole = typeof value === 'number' && Number.isSafeInteger(value);
  return isWhole && value >= 1 && value <= max ? value : null;
}
