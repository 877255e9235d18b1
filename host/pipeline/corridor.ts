/**
 * The corridor: every delivery passes these stages, in this order, exactly once.
 * May import: kernel, message, quotas, storage, sandbox, bindings, bundles.
 */
import { CODES, messageOf } from '../kernel/errors.ts';
import { systemClock, type Clock } from '../kernel/time.ts';
import type { Call } from '../message/call.ts';
import { decodeDelivery, type DecodeOptions } from '../message/decode.ts';
import type { Delivery } from '../message/delivery.ts';
import type { ReplyMessage } from '../message/encode.ts';
import { answerCall, refused, type Answered, type AnswerRooms } from './answer.ts';
import { createDeadlines, type DeadlineOptions } from './deadline.ts';
import { createFairQueue, type Entry, type FairQueueOptions } from './fair-queue.ts';
import { createRecall, identityOf, type CallIdentity, type RecallOptions } from './recall.ts';
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
  const clock = options.clock ?? systemClock;
  const deadlines = createDeadlines(options.deadlines);
  const recall = createRecall(options.recall);
  const queue = createFairQueue(options.admission);
  const inFlight = new Set<Promise<void>>();

  /** decode, admit, (route, authorize, dispatch, encode), reply, settle. */
  async function pass(delivery: Delivery): Promise<void> {
    const decoded = decodeDelivery(delivery, options.decode);
    if (decoded.kind === 'unanswerable')
      return parkDelivery(options, delivery, decoded.code, decoded.why);
    const { address } = decoded.kind === 'call' ? decoded.call : decoded;
    if (!options.mayReplyTo(address.exchange))
      return parkDelivery(options, delivery, 'REPLY_TARGET_REFUSED', address.exchange);

    const replyBy = decoded.kind === 'call' ? decoded.call.replyBy : null;
    const { at: deadline, late } = deadlines.of({ ...delivery, replyBy }, clock.now());
    if (late) return dropLate(options, delivery);
    const reply =
      decoded.kind === 'call'
        ? await admit(delivery, decoded.call, deadline)
        : refusalReply(decoded.id, decoded.accept, counted(decoded.refusal));
    if (!reply) return delivery.requeue();
    await sendReply(options, delivery, { address, reply, deadline });
  }

  /** A duplicate gets the reply of the first; the others wait for a slot. Null: it was not begun. */
  async function admit(
    delivery: Delivery,
    call: Call,
    deadline: number,
  ): Promise<ReplyMessage | null> {
    const identity = identityOf(call);
    const seen = recall.enter(identity);
    if (seen.kind === 'first') {
      const reply = await work(delivery, call, { identity, deadline });
      seen.settle(reply);
      return reply;
    }
    options.metrics.count('vcx_duplicates_total', { kind: seen.kind });
    if (seen.kind === 'again') return seen.reply;
    return record(options, call, refused('', call, refuse('DUPLICATE_ID', 'this id is taken')));
  }

  async function work(
    delivery: Delivery,
    call: Call,
    about: { identity: CallIdentity; deadline: number },
  ): Promise<ReplyMessage | null> {
    const { org } = call.identity;
    const entry = await new Promise<Entry>((enter) => {
      queue.ask(org, delivery.body.byteLength, enter);
    });
    if (entry === 'flushed') return null;
    if (entry === 'refused')
      return record(
        options,
        call,
        refused('', call, refuse('OVERLOADED', 'the org is over its share')),
      );
    try {
      const late = performance.now() > about.deadline - LEAST_MS;
      const answered = late
        ? refused('', call, refuse('OVERLOADED', 'it waited too long for a slot'))
        : await answerCall(options, call, about);
      return record(options, call, answered);
    } catch (error) {
      return defect(options, call, error);
    } finally {
      queue.leave(org);
    }
  }

  function counted<T extends { code: string }>(refusal: T): T {
    options.metrics.count('vcx_refusals_total', { code: refusal.code });
    return refusal;
  }

  return {
    accept: (delivery) => track(options, inFlight, delivery, pass(delivery)),
    close: () => queue.flush(),
    idle: (signal) => untilEmpty(inFlight, signal),
    status: () => ({
      inFlight: inFlight.size,
      ...queue.status(),
      clockSkewMs: deadlines.skewMs(),
    }),
  };
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
  log[level]('call.refused', { code, blame, plugin, org, callId: call.id.slice(0, 100), message });
  return reply;
}

function dropLate({ metrics, log }: CorridorOptions, delivery: Delivery): void {
  metrics.count('vcx_late_total');
  log.warn('call.late', { code: 'DEADLINE_PASSED' });
  delivery.ack();
}

/** A defect of ours: said out loud, and nobody is left guessing. */
function defect({ metrics, log }: CorridorOptions, call: Call, error: unknown): ReplyMessage {
  metrics.count('vcx_defects_total');
  log.error('corridor.defect', { code: 'INTERNAL', error: messageOf(error) });
  return refusalReply(call.id, call.accept, refuse('INTERNAL', 'vcx failed; see its log'));
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
