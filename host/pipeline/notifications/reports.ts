/**
 * What operators are told of events: a count for each, a line only for what went wrong, and not one for each of those.
 * May import: kernel, message.
 */
import { messageOf, type Code } from '../../kernel/errors.ts';
import type { Fields, Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import { systemClock, type Clock } from '../../kernel/time.ts';
import type { EventDelivery, Moved } from '../../message/events.ts';
import type { CloudEvent, DecodedEvent } from '../../message/notification/event.ts';

export interface ReportRooms {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock?: Clock;
}

/** How a delivery ended. */
export type EventOutcome =
  | 'handled'
  | 'duplicate'
  | 'foreign'
  | 'unwanted'
  | 'away'
  | 'deferred'
  | 'notNow'
  | 'failed'
  | 'unreadable';

type Of = Pick<EventDelivery, 'plugin'>;
type Readable = Extract<DecodedEvent, { ok: true }>;
type Unreadable = Extract<DecodedEvent, { ok: false }>;

export interface AgainReport {
  readonly kind: 'notNow' | 'failed';
  readonly code: Code;
  readonly moved: Moved['kind'];
}

export interface EventReports {
  outcome(of: Of, outcome: EventOutcome): void;
  unreadable(of: Of, decoded: Unreadable): void;
  /** What key or headers say otherwise than the body, which decides; and headers that are missing. */
  disagreements(of: Of, decoded: Readable): void;
  again(of: Of & Pick<EventDelivery, 'attempt'>, event: CloudEvent, report: AgainReport): void;
  defect(of: Of, error: unknown): void;
}

/** Least time between two lines that are alike, ms. */
const LINE_MS = 10_000;
const MAX_KINDS = 1_000;

export function createEventReports(rooms: ReportRooms): EventReports {
  const { log, metrics } = rooms;
  const warn = limited(rooms);

  function outcome({ plugin }: Of, kind: EventOutcome): void {
    metrics.count('vcx_events_total', { plugin, outcome: kind });
  }
  return {
    outcome,
    unreadable(of, { code, why }) {
      const { plugin } = of;
      outcome(of, 'unreadable');
      metrics.count('vcx_event_failures_total', { plugin, code });
      warn('event.unreadable', [plugin, code], { plugin, code, why });
    },
    disagreements({ plugin }, { event: { eventId }, disagreements, missing }) {
      for (const { in: where, field } of disagreements)
        metrics.count('vcx_event_disagreements_total', { plugin, in: where, field });
      if (disagreements.length > 0)
        warn('event.disagrees', [plugin], { plugin, eventId, disagreements });
      if (missing.length > 0)
        warn('event.headers', [plugin, missing.join()], { plugin, eventId, missing });
    },
    again(of, { eventId, org }, { kind, code, moved }) {
      const { plugin, attempt } = of;
      outcome(of, kind);
      metrics.count('vcx_event_failures_total', { plugin, code });
      const fields = { plugin, org: org.id, eventId, code, attempt, moved };
      if (moved === 'parked') log.warn('event.parked', fields);
      else warn('event.again', [plugin, code], fields);
    },
    defect({ plugin }, error) {
      metrics.count('vcx_defects_total');
      log.error('events.defect', { code: 'INTERNAL', plugin, error: messageOf(error) });
    },
  };
}

/** The first line of its kind in a while, and how many were left out since the last one. */
function limited({ log, clock = systemClock }: ReportRooms) {
  const kinds = new Map<string, { at: number; left: number }>();
  return (event: string, kind: readonly string[], fields: Fields): void => {
    const key = [event, ...kind].join('\n');
    const last = kinds.get(key);
    const now = clock.monotonic();
    if (last && now - last.at < LINE_MS) {
      last.left += 1;
      return;
    }
    if (kinds.size >= MAX_KINDS) kinds.clear();
    kinds.set(key, { at: now, left: 0 });
    log.warn(event, last?.left ? { ...fields, left: last.left } : fields);
  };
}
