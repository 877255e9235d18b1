/**
 * vcx's own dead-letter exchange and queue: declared at every connect, and again when a message finds them gone.
 * May import: kernel, message, amqplib.
 */
import type { ParkedMessage, ReplyOutcome } from '../../message/delivery.ts';
import { faultOf } from '../faults.ts';
import type { Link } from '../connection/link.ts';
import type { LimitedLog } from '../log-limit.ts';
import type { Settings } from '../options.ts';
import type { Outgoing } from './outbox.ts';
import { createProber } from '../consume/prober.ts';
import type { Publisher } from './publisher.ts';
import { type Finding, ensureBound } from '../consume/topology.ts';

export interface DeadLetterSpec {
  readonly settings: Settings;
  readonly link: Link;
  readonly limited: LimitedLog;
  readonly publisher: Publisher;
}

/** Reasons are for people, and a header table has a bound. */
const MAX_REASON = 1_000;

export class DeadLetter {
  readonly #spec: DeadLetterSpec;
  #ensuring: Promise<void> | null = null;
  findings: readonly Finding[] = [];

  constructor(spec: DeadLetterSpec) {
    this.#spec = spec;
  }

  /** What is wrong with exchange or queue, or null. */
  get problem(): string | null {
    return this.findings.find((finding) => finding.state === 'problem')?.detail ?? null;
  }

  linkChanged(): void {
    if (this.#spec.link.model) void this.#ensure();
  }

  /** Never rejects. */
  async park(message: ParkedMessage, signal: AbortSignal): Promise<boolean> {
    const outgoing: Outgoing = {
      exchange: this.#spec.settings.deadLetter.exchange,
      routingKey: '',
      correlationId: null,
      body: asBuffer(message.body),
      persistent: true,
      headers: { 'x-vcx-reason': message.reason.slice(0, MAX_REASON) },
    };
    await this.#ensuring;
    const first = await this.#spec.publisher.send(outgoing, signal);
    if (first.kind === 'confirmed' || signal.aborted) return first.kind === 'confirmed';
    await this.#ensure();
    this.#spec.publisher.forgive(outgoing.exchange);
    const second: ReplyOutcome = await this.#spec.publisher.send(outgoing, signal);
    return second.kind === 'confirmed';
  }

  #ensure(): Promise<void> {
    this.#ensuring ??= this.#declare().finally(() => {
      this.#ensuring = null;
    });
    return this.#ensuring;
  }

  async #declare(): Promise<void> {
    const { link, settings, limited } = this.#spec;
    const { exchange, queue, maxLength, ttlMs } = settings.deadLetter;
    if (!link.model) return;
    try {
      await using prober = createProber(link, link.model, settings.watchMs);
      this.findings = await ensureBound(prober, {
        exchange: { name: exchange, type: 'fanout' },
        routingKey: '',
        queue: {
          name: queue,
          options: {
            durable: true,
            arguments: { 'x-max-length': maxLength, 'x-message-ttl': ttlMs },
          },
        },
      });
      if (this.problem) limited.warn('broker.dead_letter', exchange, { reason: this.problem });
    } catch (error) {
      limited.warn('broker.dead_letter', exchange, { reason: faultOf(error).text });
    }
  }
}

/** The same bytes as amqplib wants them; nothing is copied. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
