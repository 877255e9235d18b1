/**
 * The corridor of notifications: decode, address, order, once, handle, settle. Every event passes it exactly once
 * for each time that it is delivered.
 * May import: kernel, message, quotas, storage, sandbox, bindings, bundles.
 */
import type { Catalogue } from '../../bundles/live/catalogue.ts';
import type { LivePlugin } from '../../bundles/live/plugin.ts';
import type { BlockingPolicy } from '../../bundles/manifest/notifications.ts';
import type { EventDelivery, Moved } from '../../message/events.ts';
import { decodeEvent } from '../../message/notification/decode.ts';
import type { CloudEvent } from '../../message/notification/event.ts';
import type { HandledEvents } from '../../storage/handled-events.ts';
import { addressEvent, orphanPolicy } from './address.ts';
import {
  handleEvent,
  judgeError,
  type EventRooms,
  type HandleRooms,
  type Unhandled,
} from './handle.ts';
import { createKnownEvents, type Claimed, type KnownEvents } from './known.ts';
import { createEntityOrder, type EntityOrder, type TurnEnd } from './order.ts';
import { createPlaces } from './places.ts';
import { createEventReports, type EventReports, type ReportRooms } from './reports.ts';

export interface EventCorridorOptions extends HandleRooms, ReportRooms {
  readonly catalogue: () => Catalogue;
  /** Not owned. */
  readonly handledEvents: HandledEvents;
}

export interface EventCorridor {
  /** Take one event through; never throws. */
  accept(delivery: EventDelivery): void;
  /** From now on nothing begins: what comes goes back to the broker. */
  close(): void;
  /** Resolves when nothing is in hand any more, or when the signal fires. */
  idle(signal: AbortSignal): Promise<void>;
  status(): { readonly inHand: number; readonly entities: number };
}

/** Pause of events whose plug-in is not there, ms. */
const AWAY_MS = 30_000;
/** Until an event that the broker did not take over is here again, ms. */
const UNMOVED_MS = 5_000;

export function createEventCorridor(options: EventCorridorOptions): EventCorridor {
  return new EventStages(options);
}

class EventStages implements EventCorridor {
  readonly #rooms: EventCorridorOptions & EventRooms;
  readonly #reports: EventReports;
  readonly #known: KnownEvents;
  readonly #order: EntityOrder = createEntityOrder();
  readonly #inHand = new Set<EventDelivery>();
  #closed = false;
  #drained: (() => void) | null = null;

  constructor(options: EventCorridorOptions) {
    this.#rooms = { ...options, places: createPlaces() };
    this.#reports = createEventReports(options);
    this.#known = createKnownEvents(options.handledEvents, options.log);
  }

  accept(delivery: EventDelivery): void {
    if (this.#closed) return delivery.requeue();
    this.#inHand.add(delivery);
    void this.#take(delivery); // never rejects
  }

  close(): void {
    this.#closed = true;
  }

  async idle(signal: AbortSignal): Promise<void> {
    if (this.#inHand.size === 0 || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#drained = resolve;
    signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
  }

  status() {
    return { inHand: this.#inHand.size, entities: this.#order.size };
  }

  async #take(delivery: EventDelivery): Promise<void> {
    try {
      await this.#pass(delivery);
    } catch (error) {
      this.#reports.defect(delivery, error);
      await delivery.retry('vcx failed; see its log');
    } finally {
      this.#inHand.delete(delivery);
      if (this.#inHand.size === 0) this.#drained?.();
    }
  }

  async #pass(delivery: EventDelivery): Promise<void> {
    const decoded = decodeEvent(delivery);
    if (!decoded.ok) {
      this.#reports.unreadable(delivery, decoded);
      return void (await delivery.park(decoded.code, decoded.why));
    }
    this.#reports.disagreements(delivery, decoded);
    const { event } = decoded;
    const { tenants } = this.#rooms;
    const catalogue = this.#rooms.catalogue();
    const policy = orphanPolicy(catalogue, delivery.plugin, event);
    if (policy && !(await this.#passOn(delivery, event, policy))) return;
    const addressed = addressEvent({ catalogue, tenants }, delivery.plugin, event);
    if (addressed.kind === 'to') return this.#deliver(delivery, addressed.plugin, event);
    this.#reports.outcome(delivery, addressed.kind);
    if (addressed.kind === 'away') await delivery.defer(AWAY_MS);
    else delivery.ack();
  }

  /** For an org where nobody decides: an operation that is held for the whole cloud must go on all the same. */
  async #passOn(
    delivery: EventDelivery,
    event: CloudEvent,
    policy: BlockingPolicy,
  ): Promise<boolean> {
    try {
      await this.#rooms.notifications.pass({
        callId: `event-${event.eventId}`,
        plugin: delivery.plugin,
        org: event.org.id,
        type: event.type,
        entity: event.entity.id,
        taskOwner: event.taskOwner?.id ?? null,
        resolver: event.resolver,
        taskName: event.taskName,
        policy,
      });
      return true;
    } catch (error) {
      await this.#again(delivery, event, judgeError(error));
      return false;
    }
  }

  async #deliver(delivery: EventDelivery, plugin: LivePlugin, event: CloudEvent): Promise<void> {
    const { name, notificationDelivery } = plugin.manifest;
    if (delivery.firstSeenAt !== null) this.#rooms.places.back(`${name}\n${event.org.id}`);
    if (!notificationDelivery.ordered) {
      const { rest } = await this.#once(delivery, plugin, event);
      return void (await rest);
    }
    const turn = await this.#order.enter(`${name}\n${event.entity.id}`, event.eventId);
    if (turn.kind === 'defer') {
      this.#reports.outcome(delivery, 'deferred');
      return void (await delivery.defer(turn.pauseMs));
    }
    let work: Work = { end: DONE, rest: null };
    try {
      work = await this.#once(delivery, plugin, event);
    } finally {
      turn.leave(work.end);
    }
    await work.rest;
  }

  /** Copies are acknowledged without being handled again. */
  async #once(delivery: EventDelivery, plugin: LivePlugin, event: CloudEvent): Promise<Work> {
    const { name } = plugin.manifest;
    const claim = await this.#known.claim(name, event, delivery.attempt);
    if (claim.kind !== 'mine') {
      this.#reports.outcome(delivery, 'duplicate');
      delivery.ack();
      return { end: claim.kind === 'handled' ? DONE : { kind: 'aside' }, rest: null };
    }
    let attempt: number | null = null;
    let rest: Promise<void> | null = null;
    try {
      const moved = await this.#handle(delivery, plugin, event);
      if (moved === 'handled') rest = this.#finish(delivery, claim);
      if (typeof moved === 'string') return { end: DONE, rest };
      attempt = moved.kind === 'later' ? moved.attempt : null;
      return { end: endOf(moved), rest };
    } finally {
      if (!rest) claim.leave(attempt);
    }
  }

  async #handle(
    delivery: EventDelivery,
    plugin: LivePlugin,
    event: CloudEvent,
  ): Promise<MovedAs | 'handled' | 'requeued'> {
    // It waited so long that everything is closing: back to the broker.
    if (this.#closed) {
      delivery.requeue();
      return 'requeued';
    }
    const { attempt } = delivery;
    const last = attempt >= plugin.manifest.notificationDelivery.maxAttempts;
    const handled = await handleEvent(this.#rooms, { plugin, event, attempt, last });
    return handled.kind === 'handled' ? 'handled' : this.#again(delivery, event, handled);
  }

  /** Written down before it is acknowledged: after that it is never handled again. The next of its entity goes on meanwhile. */
  async #finish(delivery: EventDelivery, claim: Claimed): Promise<void> {
    await claim.done();
    this.#reports.outcome(delivery, 'handled');
    delivery.ack();
    claim.leave(null);
  }

  async #again(delivery: EventDelivery, event: CloudEvent, handled: Unhandled): Promise<MovedAs> {
    const { attempt } = delivery;
    const counts = handled.kind === 'failed';
    const moved = await (counts ? delivery.retry(handled.reason) : delivery.defer(handled.afterMs));
    this.#reports.again(delivery, event, { ...handled, moved: moved.kind });
    return { ...moved, attempt: counts ? attempt + 1 : attempt };
  }
}

const DONE: TurnEnd = { kind: 'done' };

interface Work {
  readonly end: TurnEnd;
  /** What is left to be done when the next event of the entity may begin. */
  readonly rest: Promise<void> | null;
}

/** `attempt`: the one with which it comes again, if it does. */
type MovedAs = Moved & { readonly attempt: number };

function endOf(moved: Moved): TurnEnd {
  switch (moved.kind) {
    case 'later':
      return { kind: 'later', pauseMs: moved.pauseMs };
    case 'failed':
      return { kind: 'later', pauseMs: UNMOVED_MS };
    case 'parked':
    case 'settled':
      return { kind: 'done' };
  }
}
