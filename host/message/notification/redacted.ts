/**
 * What an operator may see of a parked event: ids, types and names. Never the raw body, nor the values of unknown fields.
 * May import: kernel, message.
 */
import { createHash } from 'node:crypto';

import type { ParkedEvent, ParkedSummary } from '../events.ts';
import { decodeEvent } from './decode.ts';

export interface ParkedRaw {
  readonly summary: ParkedSummary;
  readonly firstSeenAt: number | null;
  readonly contentType: string | null;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Uint8Array;
  /** Digest taken before the body was left out; null when it was kept. */
  readonly sha256: string | null;
}

const MAX_FIELDS = 50;
const MAX_VALUE = 200;

export function redactEvent(raw: ParkedRaw): ParkedEvent {
  const { summary, firstSeenAt, contentType, headers, body, sha256 } = raw;
  const kept = sha256 === null;
  return {
    ...summary,
    firstSeenAt,
    contentType,
    bodySha256: sha256 ?? createHash('sha256').update(body).digest('hex'),
    headers: shownHeaders(headers),
    ...(kept ? shownEvent(raw) : { event: null, unreadable: 'the body was too large to be kept' }),
    kept,
  };
}

function shownEvent(raw: ParkedRaw): Pick<ParkedEvent, 'event' | 'unreadable'> {
  const { routingKey } = raw.summary;
  const decoded = decodeEvent({ routingKey, headers: raw.headers, body: raw.body });
  if (!decoded.ok) return { event: null, unreadable: `${decoded.code}: ${decoded.why}` };
  const { extra, ...known } = decoded.event;
  const extraFields = Object.keys(extra)
    .slice(0, MAX_FIELDS)
    .map((name) => name.slice(0, MAX_VALUE));
  return { event: { ...known, extraFields }, unreadable: null };
}

function shownHeaders(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const shown = Object.entries(headers)
    .filter(([name]) => name.toLowerCase().startsWith('notification.'))
    .filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
    .slice(0, MAX_FIELDS)
    .map(([name, value]) => [name.slice(0, MAX_VALUE), String(value).slice(0, MAX_VALUE)]);
  return Object.fromEntries(shown) as Record<string, string>;
}
