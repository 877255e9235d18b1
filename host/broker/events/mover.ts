/**
 * Sends an event round by vcx's own exchange, and only says that it is there when the broker has confirmed it.
 * May import: kernel, message, amqplib.
 */
import type { ReplyOutcome } from '../../message/delivery.ts';
import { pause } from '../../kernel/time.ts';
import type { Settings } from '../options.ts';
import type { Publisher } from '../publish/publisher.ts';
import type { Tally } from '../tally.ts';

export interface MoverSpec {
  readonly settings: Settings;
  readonly publisher: Publisher;
  readonly tally: Tally;
  /** Make exchange and queues of a plug-in anew if they are gone. Never rejects. */
  readonly repair: (plugin: string) => Promise<void>;
}

/** One event on its way to a queue of vcx's own. */
export interface Move {
  readonly plugin: string;
  readonly kind: 'retry' | 'defer' | 'park' | 'replay';
  readonly queue: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly contentType: string | null;
  readonly body: Buffer;
}

/** How long a confirm is waited for, an outage of the broker included. */
const CONFIRM_MS = 30_000;

export class Mover {
  readonly #spec: MoverSpec;
  readonly #closing = new AbortController();
  #pending = 0;

  constructor(spec: MoverSpec) {
    this.#spec = spec;
  }

  get settings(): Settings {
    return this.#spec.settings;
  }

  /** Null when the broker has confirmed; else why not. Never rejects. */
  async move(move: Move): Promise<string | null> {
    this.#pending += 1;
    try {
      const outcome = await this.#send(move);
      const kind = outcome.kind === 'confirmed' ? move.kind : `${move.kind}_failed`;
      this.#spec.tally.add('vcx_events_moved_total', kind);
      return failureOf(outcome, move.queue);
    } finally {
      this.#pending -= 1;
    }
  }

  /** Wait; ends early when the transport is closed. */
  async hold(ms: number): Promise<void> {
    await pause(ms, this.#closing.signal);
  }

  /** Resolves when nothing is on its way any more. The caller bounds it. */
  async close(): Promise<void> {
    this.#closing.abort();
    while (this.#pending > 0) await pause(5);
  }

  async #send({ plugin, queue, headers, contentType, body }: Move): Promise<ReplyOutcome> {
    const { publisher, settings, repair } = this.#spec;
    const { exchange } = settings.events;
    const route = { exchange, routingKey: queue, correlationId: null, persistent: true };
    const message = { ...route, headers, contentType, body };
    const signal = AbortSignal.timeout(CONFIRM_MS);
    const first = await publisher.send(message, signal);
    if (first.kind === 'confirmed' || signal.aborted) return first;
    await repair(plugin);
    publisher.forgive(exchange);
    return publisher.send(message, signal);
  }
}

function failureOf(outcome: ReplyOutcome, queue: string): string | null {
  if (outcome.kind === 'confirmed') return null;
  return outcome.kind === 'failed' ? outcome.reason : `there is no queue ${queue}`;
}
