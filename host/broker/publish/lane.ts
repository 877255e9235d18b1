/**
 * The way to one exchange: checked first, then a confirm channel of its own, so that a bad exchange takes no other reply down.
 * May import: kernel, message, amqplib.
 */
import type { ChannelModel, ConfirmChannel, Message } from 'amqplib';

import { messageOf } from '../../kernel/errors.ts';
import { backoffMs } from '../../kernel/time.ts';
import { type Fault, REPLY, faultOf } from '../faults.ts';
import type { Link } from '../connection/link.ts';
import type { LimitedLog } from '../log-limit.ts';
import type { Settings } from '../options.ts';
import type { Entry } from './outbox.ts';
import { createProber, within } from '../consume/prober.ts';
import type { Tally } from '../tally.ts';

export interface LaneSpec {
  readonly exchange: string;
  readonly settings: Settings;
  readonly link: Link;
  readonly limited: LimitedLog;
  readonly tally: Tally;
}

/** How long a refused exchange is not asked about again. */
const REFUSED_MS = 1_000;
/** A message that was on this many dying channels is suspected of killing them. */
const MAX_DEATHS = 3;
const CLOSED = 'the transport was closed before the confirm';
const REOPEN = { firstMs: 50, maxMs: 1_000 } as const;

export class Lane {
  readonly #spec: LaneSpec;
  readonly #waiting = new Set<Entry>();
  /** Ids of messages that came back and whose confirm, which follows, has not. */
  readonly #returned = new Set<string>();
  #raw: ConfirmChannel | null = null;
  #opening = false;
  #closed = false;
  #failures = 0;
  #refused: { readonly until: number; readonly reason: string } | null = null;
  /** Published, no confirm yet. */
  inFlight = 0;
  /** Monotonic ms of the last message. */
  usedAt = 0;

  constructor(spec: LaneSpec) {
    this.#spec = spec;
  }

  get idle(): boolean {
    return this.inFlight === 0 && this.#waiting.size === 0;
  }

  push(entry: Entry): void {
    const now = (this.usedAt = this.#spec.settings.clock.monotonic());
    if (this.#raw) this.#publish(this.#raw, entry);
    else if (this.#refused && now < this.#refused.until) fail(entry, this.#refused.reason);
    else {
      this.#waiting.add(entry);
      this.open();
    }
  }

  /** The signal of an entry fired: it is not published any more if it was not yet. */
  drop(entry: Entry): void {
    this.#waiting.delete(entry);
  }

  /** Ask again about an exchange that was refused: it has been made meanwhile. */
  forgive(): void {
    this.#refused = null;
  }

  /** Open the channel if there is work for it and a connection. */
  open(): void {
    const { model } = this.#spec.link;
    if (!model || this.#opening || this.#raw || this.#closed || this.#waiting.size === 0) return;
    this.#opening = true;
    void this.#openOn(model);
  }

  /** Fail what is not confirmed, and let go of the channel. */
  async close(): Promise<void> {
    this.#closed = true;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const entry of waiting) fail(entry, CLOSED);
    const raw = this.#raw;
    this.#raw = null;
    await raw?.close().catch(() => undefined);
  }

  async #openOn(model: ChannelModel): Promise<void> {
    const { link, settings } = this.#spec;
    try {
      await using prober = createProber(link, model, settings.watchMs);
      const looked = await prober.ask((channel) => channel.checkExchange(this.#spec.exchange));
      if (looked.ok) {
        this.#use(await within(link, model.createConfirmChannel(), settings.watchMs), model);
      } else this.#refuse(looked.fault.text);
    } catch (error) {
      this.#spec.limited.warn('broker.reply_channel_failed', this.#spec.exchange, {
        exchange: this.#spec.exchange,
        reason: faultOf(error).text,
      });
    } finally {
      this.#opening = false;
      // Without a connection it is the next one that opens.
      if (!this.#raw) this.#reopen(model);
    }
  }

  #use(raw: ConfirmChannel, model: ChannelModel): void {
    let fault: Fault = { code: null, text: 'channel closed' };
    const since = this.#spec.settings.clock.monotonic();
    raw.on('error', (error) => {
      fault = faultOf(error);
    });
    raw.on('return', (message: Message) => {
      this.#returned.add(message.properties.messageId as string);
    });
    raw.on('close', () => {
      if (this.#spec.settings.clock.monotonic() - since > REFUSED_MS) this.#failures = 0;
      this.#died(fault, model);
    });
    this.#raw = raw;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const entry of waiting) this.push(entry);
  }

  #publish(raw: ConfirmChannel, entry: Entry): void {
    const { routingKey, correlationId, body, persistent, headers, asks } = entry.message;
    const { contentType = 'application/json' } = entry.message;
    const options = {
      mandatory: true,
      ...(contentType !== null && { contentType }),
      deliveryMode: persistent ? 2 : 1,
      messageId: entry.id,
      ...(correlationId !== null && { correlationId }),
      ...(headers && { headers }),
      ...(asks && { replyTo: asks.replyTo, expiration: asks.expirationMs }),
    };
    try {
      raw.publish(this.#spec.exchange, routingKey, body, options, (error: unknown) => {
        this.inFlight -= 1;
        this.#confirmed(entry, error);
      });
      this.inFlight += 1;
    } catch (error) {
      // A channel on its way down tells so; anything else is a property that AMQP can not carry.
      if (error instanceof Error && error.name === 'IllegalOperationError')
        this.#waiting.add(entry);
      else fail(entry, messageOf(error));
    }
  }

  #confirmed(entry: Entry, error: unknown): void {
    const returned = this.#returned.size > 0 && this.#returned.delete(entry.id);
    if (entry.done) return;
    if (!error) entry.finish(returned ? { kind: 'unroutable' } : { kind: 'confirmed' });
    else if (messageOf(error) === 'message nacked') fail(entry, 'the broker refused the message');
    else if (this.#closed) fail(entry, CLOSED);
    else this.#waiting.add(entry);
  }

  /** amqplib has given all unconfirmed messages back to `#confirmed` before this. */
  #died(fault: Fault, model: ChannelModel): void {
    const { exchange, limited, tally } = this.#spec;
    this.#raw = null;
    this.#returned.clear();
    if (this.#closed || fault.code === null) return void setImmediate(() => this.#reopen(model));
    tally.add('vcx_broker_channel_deaths_total', 'publish');
    limited.warn('broker.channel_died', `publish ${exchange}`, {
      channel: 'publish',
      exchange,
      reason: fault.text,
    });
    if (fault.code === REPLY.notFound || fault.code === REPLY.accessRefused)
      this.#refuse(fault.text);
    for (const entry of this.#waiting) {
      entry.deaths += 1;
      if (entry.deaths >= MAX_DEATHS) {
        this.#waiting.delete(entry);
        fail(entry, fault.text);
      }
    }
    this.#reopen(model);
  }

  #refuse(text: string): void {
    const reason = `exchange ${this.#spec.exchange}: ${text}`;
    this.#refused = { until: this.#spec.settings.clock.monotonic() + REFUSED_MS, reason };
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const entry of waiting) fail(entry, reason);
  }

  #reopen(model: ChannelModel): void {
    if (this.#waiting.size === 0) return;
    // The next connection may have come while this was busy with the last one, and will not tell again.
    if (this.#spec.link.model !== model) return this.open();
    this.#failures += 1;
    setTimeout(() => this.open(), backoffMs(this.#failures - 1, REOPEN)).unref();
  }
}

function fail(entry: Entry, reason: string): void {
  entry.finish({ kind: 'failed', reason });
}
