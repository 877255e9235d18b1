/**
 * The corridor: every delivery passes these stages, in this order, exactly once.
 * May import: kernel, message, quotas, storage, sandbox, bindings, bundles.
 */
import { CODES, messageOf } from '../kernel/errors.ts';
import { systemClock, type Clock } from '../kernel/time.ts';
import type { Call } from '../message/call.ts';
import { decodeDelivery, type Decoded, type DecodeOptions } from '../message/decode.ts';
import type { Delivery } from '../message/delivery.ts';
import type { ReplyMessage } from '../message/encode.ts';
import { answerCall, turnedAway, type Answered, type AnswerRooms } from './answer.ts';
import { createDeadlines, type DeadlineOptions, type Deadlines } from './admission/deadline.ts';
import {
  createFairQueue,
  type Entry,
  type FairQueue,
  type FairQueueOptions,
} from './admission/fair-queue.ts';
import {
  createRecall,
  identityOf,
  type CallIdentity,
  type Recall,
  type RecallOptions,
} from './admission/recall.ts';
import { refusalReply, refuse } from './refusal.ts';
import { parkDelivery, sendReply, type ReplyRooms } from './reply.ts';

export interface CorridorOptions extends AnswerRooms, ReplyRooms {
  readonly decode: DecodeOptions;
  readonly deadlines: DeadlineOptions;
  readonly admission?: FairQueueOptions;
  readonly recall?: RecallOptions;
  /** Exchanges that replies may go to. */
  readonly mayReplyTo: (exchange: string) => boolean;
  readonly clock?: Clock;
}

export interface CorridorStatus {
  /** Deliveries taken and not settled. */
  readonly inFlight: number;
  readonly working: number;
  readonly waiting: number;
  readonly waitingBytes: number;
  readonly clockSkewMs: number | null;
}

export interface Corridor {
  /** Take one delivery through; never throws. */
  accept(delivery: Delivery): void;
  /** From now on nothing begins: what waits and what still comes goes back to the broker. */
  close(): void;
  /** Resolves when nothing is in flight any more, or when the signal fires. */
  idle(signal: AbortSignal): Promise<void>;
  status(): CorridorStatus;
}

/** Work below this is not begun: it could not be answered in time. */
const LEAST_MS = 20;

export function createCorridor(options: CorridorOptions): Corridor {
  return new Stages(options);
}

class Stages implements Corridor {
  readonly #rooms: CorridorOptions;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #recall: Recall;
  readonly #queue: FairQueue;
  readonly #inFlight = new Set<Promise<void>>();

  constructor(options: CorridorOptions) {
    this.#rooms = options;
    this.#clock = options.clock ?? systemClock;
    this.#deadlines = createDeadlines(options.deadlines);
    this.#recall = createRecall(options.recall);
    this.#queue = createFairQueue(options.admission);
  }

  accept(delivery: Delivery): void {
    track(this.#rooms, this.#inFlight, delivery, this.#pass(delivery));
  }

  close(): void {
    this.#queue.flush();
  }

  idle(signal: AbortSignal): Promise<void> {
    return untilEmpty(this.#inFlight, signal);
  }

  status(): CorridorStatus {
    return {
      inFlight: this.#inFlight.size,
      ...this.#queue.status(),
      clockSkewMs: this.#deadlines.skewMs(),
    };
  }

  /** decode, admit, (route, authorize, dispatch, encode), reply, settle. */
  async #pass(delivery: Delivery): Promise<void> {
    const rooms = this.#rooms;
    const decoded = decodeDelivery(delivery, rooms.decode);
    if (decoded.kind === 'unanswerable')
      return parkDelivery(rooms, delivery, decoded.code, decoded.why);
    const { address } = decoded.kind === 'call' ? decoded.call : decoded;
    if (!rooms.mayReplyTo(address.exchange))
      return parkDelivery(rooms, delivery, 'REPLY_TARGET_REFUSED', address.exchange);

    const replyBy = decoded.kind === 'call' ? decoded.call.replyBy : null;
    const { at: deadline, late } = this.#deadlines.of({ ...delivery, replyBy }, this.#clock.now());
    if (late) return dropLate(rooms, delivery);
    const reply =
      decoded.kind === 'call'
        ? await this.#admit(delivery, decoded.call, deadline)
        : undecodable(rooms, decoded);
    if (!reply) return delivery.requeue();
    await sendReply(rooms, delivery, { address, reply, deadline });
  }

  /** A duplicate gets the reply of the first; the others wait for a slot. Null: it was not begun. */
  async #admit(delivery: Delivery, call: Call, deadline: number): Promise<ReplyMessage | null> {
    const rooms = this.#rooms;
    const identity = identityOf(call);
    const seen = this.#recall.enter(identity);
    if (seen.kind === 'first') {
      const reply = await this.#work(delivery, call, { identity, deadline });
      seen.settle(reply);
      return reply;
    }
    rooms.metrics.count('vcx_duplicates_total', { kind: seen.kind });
    if (seen.kind === 'again') return seen.reply;
    const taken = refuse('DUPLICATE_ID', 'this id is taken');
    return record(rooms, call, turnedAway(rooms, call, taken));
  }

  async #work(delivery: Delivery, call: Call, about: AboutCall): Promise<ReplyMessage | null> {
    const rooms = this.#rooms;
    const { org } = call.identity;
    const entry = await new Promise<Entry>((enter) => {
      this.#queue.ask(org, delivery.body.byteLength, enter);
    });
    if (entry === 'flushed') return null;
    if (entry === 'refused') return overloaded(rooms, call, 'the org is over its share');
    try {
      if (performance.now() > about.deadline - LEAST_MS)
        return overloaded(rooms, call, 'it waited too long for a slot');
      return record(rooms, call, await answerCall(rooms, call, about));
    } catch (error) {
      return defect(rooms, call, error);
    } finally {
      this.#queue.leave(org);
    }
  }
}

interface AboutCall {
  readonly identity: CallIdentity;
  readonly deadline: number;
}

/** The message could not be read, but it says whom to tell. */
function undecodable(
  { metrics }: CorridorOptions,
  { id, accept, refusal }: Extract<Decoded, { kind: 'refused' }>,
): ReplyMessage {
  metrics.count('vcx_refusals_total', { code: refusal.code });
  return refusalReply(id, accept, refusal);
}

function overloaded(rooms: CorridorOptions, call: Call, why: string): ReplyMessage {
  return record(rooms, call, turnedAway(rooms, call, refuse('OVERLOADED', why)));
}

/** Metrics and the log line of one answered call. */
function record(options: CorridorOptions, call: Call, answered: Answered): ReplyMessage {
  const { plugin, reply, refusal } = answered;
  const { metrics, log } = options;
  metrics.count('vcx_calls_total', { plugin, status: String(reply.status) });
  metrics.observeMs('vcx_call_ms', performance.now() - call.arrivedAt, { plugin });
  if (!refusal) return reply;
  const { code, message } = refusal;
  metrics.count('vcx_refusals_total', { code });
  const { blame } = CODES[code];
  const { org } = call.identity;
  const level = blame === 'caller' ? 'debug' : 'warn';
  const { method, path } = call;
  const about = { plugin, org, callId: call.id.slice(0, 100), method, path };
  log[level]('call.refused', { code, blame, ...about, message });
  return reply;
}

function dropLate({ metrics, log }: CorridorOptions, delivery: Delivery): void {
  metrics.count('vcx_late_total');
  log.warn('call.late', { code: 'DEADLINE_PASSED' });
  delivery.ack();
}

/** A defect of ours: said out loud, and nobody is left guessing. */
function defect(rooms: CorridorOptions, call: Call, error: unknown): ReplyMessage {
  rooms.metrics.count('vcx_defects_total');
  rooms.log.error('corridor.defect', { code: 'INTERNAL', error: messageOf(error) });
  return turnedAway(rooms, call, refuse('INTERNAL', 'vcx failed; see its log')).reply;
}

/** Keep it among those in flight; what escapes every stage must not wedge the queue. */
function track(
  { metrics, log }: CorridorOptions,
  inFlight: Set<Promise<void>>,
  delivery: Delivery,
  passing: Promise<void>,
): void {
  const work = passing
    .catch((error: unknown) => {
      metrics.count('vcx_defects_total');
      log.error('corridor.defect', { code: 'INTERNAL', error: messageOf(error) });
      delivery.ack();
    })
    .finally(() => inFlight.delete(work));
  inFlight.add(work);
}

async function untilEmpty(inFlight: Set<Promise<void>>, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<void>((done) => {
    signal.addEventListener('abort', () => done(), { once: true });
  });
  while (inFlight.size > 0 && !signal.aborted) await Promise.race([...inFlight, aborted]);
}
