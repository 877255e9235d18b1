/**
 * The corridor: every delivery passes these stages, in this order, exactly once.
 * May import: kernel, message, quotas, sandbox, bindings, bundles.
 */
import { CODES, messageOf } from '../kernel/errors.ts';
import { systemClock, type Clock } from '../kernel/time.ts';
import type { Catalogue } from '../bundles/catalogue.ts';
import type { Call } from '../message/call.ts';
import { decodeDelivery, type DecodeOptions } from '../message/decode.ts';
import type { Delivery } from '../message/delivery.ts';
import type { ReplyMessage } from '../message/encode.ts';
import { authorizeCall, type RightsDirectory } from './authorize.ts';
import { createDeadlines, type DeadlineOptions } from './deadline.ts';
import { checkReply, dispatchCall, type DispatchRooms } from './dispatch.ts';
import { refusalReply, refuse, type Refusal } from './refusal.ts';
import { parkDelivery, sendReply, type ReplyRooms } from './reply.ts';
import { routeCall } from './route.ts';

export interface CorridorOptions extends DispatchRooms, ReplyRooms {
  readonly decode: DecodeOptions;
  readonly deadlines: DeadlineOptions;
  /** The plug-ins that are live right now; asked anew for every call. */
  readonly catalogue: () => Catalogue;
  readonly rights: RightsDirectory;
  /** Exchanges that replies may go to. */
  readonly mayReplyTo: (exchange: string) => boolean;
  readonly clock?: Clock;
}

export interface Corridor {
  /** Take one delivery through; never throws. */
  accept(delivery: Delivery): void;
  /** Resolves when nothing is in flight any more, or when the signal fires. */
  idle(signal: AbortSignal): Promise<void>;
  status(): { readonly inFlight: number; readonly clockSkewMs: number | null };
}

export function createCorridor(options: CorridorOptions): Corridor {
  const { log, metrics } = options;
  const clock = options.clock ?? systemClock;
  const deadlines = createDeadlines(options.deadlines);
  const inFlight = new Set<Promise<void>>();

  async function pass(delivery: Delivery): Promise<void> {
    const decoded = decodeDelivery(delivery, options.decode);
    if (decoded.kind === 'unanswerable')
      return parkDelivery(options, delivery, decoded.code, decoded.why);
    const { address } = decoded.kind === 'call' ? decoded.call : decoded;
    if (!options.mayReplyTo(address.exchange))
      return parkDelivery(options, delivery, 'REPLY_TARGET_REFUSED', address.exchange);
    if (decoded.kind === 'refused') {
      const reply = refusalReply(decoded.id, decoded.accept, decoded.refusal);
      metrics.count('vcx_refusals_total', { code: decoded.refusal.code });
      const { at: deadline } = deadlines.of({ ...delivery, replyBy: null }, clock.now());
      await sendReply(options, delivery, { address, reply, deadline });
      return;
    }
    const { call } = decoded;
    const deadline = deadlines.of(call, clock.now());
    if (deadline.late) return dropLate(delivery, call);
    const reply = await answer(call, deadline.at).catch((error: unknown) => defect(call, error));
    await sendReply(options, delivery, { address, reply, deadline: deadline.at });
  }

  /** A defect of ours: said out loud, and nobody is left guessing. */
  function defect(call: Call, error: unknown): ReplyMessage {
    metrics.count('vcx_defects_total');
    log.error('corridor.defect', { code: 'INTERNAL', error: messageOf(error) });
    return refusalReply(call.id, call.accept, refuse('INTERNAL', 'vcx failed; see its log'));
  }

  async function answer(call: Call, deadline: number): Promise<ReplyMessage> {
    const started = performance.now();
    const result = await handle(call, deadline);
    const ms = performance.now() - started;
    const { plugin, reply, refusal } = result;
    metrics.count('vcx_calls_total', { plugin, status: String(reply.status) });
    metrics.observeMs('vcx_call_ms', ms, { plugin });
    if (refusal) recordRefusal(call, plugin, refusal);
    return reply;
  }

  /** admit is the transport's prefetch so far; then route, authorize, dispatch, encode. */
  async function handle(call: Call, deadline: number) {
    if (call.kind === 'response') return { plugin: '', reply: unchanged(call), refusal: null };
    const no = (plugin: string, refusal: Refusal) => ({
      plugin,
      refusal,
      reply: refusalReply(call.id, call.accept, refusal),
    });
    const routed = routeCall(options.catalogue(), call);
    if ('code' in routed) return no('', routed);
    const { guest } = routed.plugin;
    if (call.bodyBytes > guest.limits.requestBytes)
      return no(
        guest.plugin,
        refuse('REQUEST_TOO_LARGE', `${guest.limits.requestBytes} bytes at most`),
      );
    const authorized = authorizeCall(options.rights, call, routed);
    if ('code' in authorized) return no(guest.plugin, authorized);
    const work = { ...routed, ...authorized, call, deadline };
    const reply = checkReply(work, await dispatchCall(options, work));
    return 'code' in reply
      ? no(guest.plugin, reply)
      : { plugin: guest.plugin, reply, refusal: null };
  }

  function recordRefusal(call: Call, plugin: string, { code, message }: Refusal): void {
    metrics.count('vcx_refusals_total', { code });
    const { blame } = CODES[code];
    const level = blame === 'caller' ? 'debug' : 'warn';
    const { org } = call.identity;
    log[level]('call.refused', {
      code,
      blame,
      plugin,
      org,
      callId: call.id.slice(0, 100),
      message,
    });
  }

  function dropLate(delivery: Delivery, call: Call): void {
    metrics.count('vcx_late_total');
    log.warn('call.late', { code: 'DEADLINE_PASSED', callId: call.id.slice(0, 100) });
    delivery.ack();
  }

  return {
    accept(delivery) {
      const work = pass(delivery)
        .catch((error: unknown) => {
          // Outside of answering: the message must not wedge the queue.
          log.error('corridor.defect', { code: 'INTERNAL', error: messageOf(error) });
          metrics.count('vcx_defects_total');
          delivery.ack();
        })
        .finally(() => inFlight.delete(work));
      inFlight.add(work);
    },
    async idle(signal) {
      const aborted = new Promise<void>((done) => {
        signal.addEventListener('abort', () => done(), { once: true });
      });
      while (inFlight.size > 0 && !signal.aborted) await Promise.race([...inFlight, aborted]);
    },
    status: () => ({ inFlight: inFlight.size, clockSkewMs: deadlines.skewMs() }),
  };
}

/** vCloud's own response goes back as it came: nothing here filters responses yet. */
function unchanged(call: Call): ReplyMessage {
  return {
    id: call.id,
    status: call.statusCode,
    headers: Object.fromEntries(call.headers),
    body: call.body ?? '',
  };
}
