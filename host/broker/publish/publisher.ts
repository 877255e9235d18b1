/**
 * Publishes replies and parked messages with confirm, one lane per exchange, inside the bounds of the outbox.
 * May import: kernel, message, amqplib.
 */
import { pause } from '../../kernel/time.ts';
import type { ReplyOutcome } from '../../message/delivery.ts';
import { bounded } from '../bounded.ts';
import { Lane } from './lane.ts';
import type { Link } from '../connection/link.ts';
import type { LimitedLog } from '../log-limit.ts';
import type { Settings } from '../options.ts';
import { type Entry, type Outbox, type Outgoing, createOutbox } from './outbox.ts';
import type { Tally } from '../tally.ts';

export interface PublisherSpec {
  readonly settings: Settings;
  readonly link: Link;
  readonly limited: LimitedLog;
  readonly tally: Tally;
  /** Called when `outbox.full` changes. */
  readonly changed: () => void;
}

const TICK_MS = 1_000;
const CLOSE_MS = 1_000;

export class Publisher {
  readonly #spec: PublisherSpec;
  readonly #lanes = new Map<string, Lane>();
  readonly #timer: NodeJS.Timeout;
  readonly outbox: Outbox;
  #closed = false;
  #heard = { bytes: 0, at: 0 };

  constructor(spec: PublisherSpec) {
    this.#spec = spec;
    this.outbox = createOutbox(spec.settings.outbox, spec.changed);
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** Resolves with what became of it; never rejects. Waits for a connection until the signal fires. */
  send(message: Outgoing, signal: AbortSignal): Promise<ReplyOutcome> {
    return new Promise((resolve) => {
      const lane = this.#laneFor(message, signal);
      if (typeof lane === 'string') return resolve({ kind: 'failed', reason: lane });
      const entry = this.outbox.enter(message, signal, {
        aborted: (entry) => {
          lane.drop(entry);
          return { kind: 'failed', reason: this.#lateReason() };
        },
        ended: (_entry: Entry, outcome) => {
          this.#spec.tally.add('vcx_broker_published_total', outcome.kind);
          resolve(outcome);
        },
      });
      lane.push(entry);
    });
  }

  linkChanged(): void {
    this.#heard = { bytes: 0, at: this.#spec.settings.clock.monotonic() };
    for (const lane of this.#lanes.values()) lane.open();
  }

  forgive(exchange: string): void {
    this.#lanes.get(exchange)?.forgive();
  }

  /** Take nothing more, wait a moment for outstanding confirms, close the channels. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    const end = performance.now() + CLOSE_MS;
    while (this.outbox.count > 0 && this.#spec.link.model && performance.now() < end)
      await pause(5);
    await bounded(Promise.all([...this.#lanes.values()].map((lane) => lane.close())), CLOSE_MS);
  }

  /** The lane, or why there is none. */
  #laneFor(message: Outgoing, signal: AbortSignal): Lane | string {
    const { exchange, body } = message;
    if (signal.aborted) return 'given up before it was published';
    if (this.#closed) return 'the transport is closed';
    if (exchange === '') return 'the default exchange is refused';
    if (Buffer.byteLength(exchange) > 255) return 'the name of the exchange is too long for AMQP';
    if (!this.outbox.hasRoom(body.length)) return 'the outbox is full';
    const known = this.#lanes.get(exchange);
    if (known) return known;
    if (this.#lanes.size >= this.#spec.settings.maxReplyExchanges && !this.#evict())
      return 'too many reply exchanges are in use';
    const lane = new Lane({ ...this.#spec, exchange });
    this.#lanes.set(exchange, lane);
    return lane;
  }

  /** Make room by closing the lane that is idle for longest. */
  #evict(): boolean {
    const idle = [...this.#lanes].filter(([, lane]) => lane.idle);
    const oldest = idle.toSorted(([, a], [, b]) => a.usedAt - b.usedAt)[0];
    if (!oldest) return false;
    this.#lanes.delete(oldest[0]);
    void oldest[1].close();
    return true;
  }

  #lateReason(): string {
    const { reason, blocked } = this.#spec.link;
    if (reason !== null) return `no connection to publish: ${reason}`;
    return blocked === null ? 'not confirmed in time' : `the broker takes no messages: ${blocked}`;
  }

  #inFlight(): number {
    let sum = 0;
    for (const lane of this.#lanes.values()) sum += lane.inFlight;
    return sum;
  }

  #tick(): void {
    const { link, settings } = this.#spec;
    const now = settings.clock.monotonic();
    for (const [exchange, lane] of this.#lanes) {
      if (!lane.idle || now - lane.usedAt < settings.idleChannelMs) continue;
      this.#lanes.delete(exchange);
      void lane.close();
    }
    // Confirms that are due and a socket without a byte: a dead path, long before heartbeats tell.
    const bytes = link.bytesRead();
    if (bytes !== this.#heard.bytes || this.#inFlight() === 0 || link.blocked !== null)
      this.#heard = { bytes, at: now };
    else if (now - this.#heard.at > settings.watchMs) {
      this.#heard = { bytes, at: now };
      link.drop(`no confirm and no byte in ${settings.watchMs} ms`);
    }
  }
}
