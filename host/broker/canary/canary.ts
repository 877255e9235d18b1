/**
 * Proves the whole path: a message of our own goes through each service's exchange and must come back.
 * Consumers can stand and connections be up while nothing arrives; only this tells.
 * May import: kernel, message, amqplib.
 */
import { randomUUID } from 'node:crypto';

import type { Delivery, ReplyOutcome } from '../../message/delivery.ts';
import { type Perch, openPerch } from './perch.ts';
import { faultOf } from '../faults.ts';
import type { Link } from '../connection/link.ts';
import type { LimitedLog } from '../log-limit.ts';
import type { ServiceAddress, Settings } from '../options.ts';
import type { Publisher } from '../publish/publisher.ts';

export interface CanaryStatus {
  /** True when the last canary of every service came back, or none was due yet. */
  readonly ok: boolean;
  /** Which did not and why, or why none can be sent. */
  readonly reason: string | null;
  /** Round trip of the last one that came back, in milliseconds. */
  readonly lastMs: number | null;
  /** When it came back, in epoch milliseconds. */
  readonly lastAt: number | null;
}

export interface CanarySpec {
  readonly settings: Settings;
  /** Connection that answers come in on. */
  readonly link: Link;
  readonly publisher: Publisher;
  readonly limited: LimitedLog;
  /** Services that have a live consumer of ours right now. */
  readonly targets: () => readonly ServiceAddress[];
  /** Called when `problem` changes. */
  readonly changed: () => void;
}

/** Marks a message as a canary; its value is not looked at. */
export const CANARY_HEADER = 'x-vcx-canary';
/** Periods after which a canary counts as lost. */
const PATIENCE = 3;

interface Flight {
  readonly service: string;
  readonly at: number;
}

export class Canary {
  readonly #spec: CanarySpec;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #flights = new Map<string, Flight>();
  /** Why the last canary of a service did not come back. */
  readonly #lost = new Map<string, string>();
  /** Why no canary can be sent: shown, but it says nothing about the path of the calls. */
  #unproven: string | null = null;
  #perch: Perch | null = null;
  #opening = false;
  #turn = 0;
  #last: Pick<CanaryStatus, 'lastMs' | 'lastAt'> = { lastMs: null, lastAt: null };

  constructor(spec: CanarySpec) {
    this.#spec = spec;
    const { everyMs } = spec.settings.canary;
    if (everyMs > 0) this.#timer = setInterval(() => void this.#tick(), everyMs).unref();
  }

  status(): CanaryStatus {
    const reason = this.problem ?? this.#unproven;
    return { ok: reason === null, reason, ...this.#last };
  }

  /** Why calls can not be arriving although all looks well, or null. */
  get problem(): string | null {
    const [first] = this.#lost;
    return first ? `a canary to ${first[0]} did not come back: ${first[1]}` : null;
  }

  /** A connection came or went: what was on its way says nothing any more. */
  linkChanged(): void {
    this.#flights.clear();
    this.#judge(() => this.#lost.clear());
  }

  /**
   * Answer a canary, whoever sent it; false for any other message. The header alone is not enough: an
   * answer can only go where canaries live, so that nothing else slips past the corridor.
   */
  takes(delivery: Delivery): boolean {
    const { headers, replyTo, correlationId } = delivery;
    const { exchange, everyMs } = this.#spec.settings.canary;
    if (headers[CANARY_HEADER] === undefined || headers['replyToExchange'] !== exchange)
      return false;
    const answer = {
      exchange,
      routingKey: replyTo ?? '',
      correlationId,
      body: Buffer.alloc(0),
      persistent: false,
      headers: null,
    };
    const signal = AbortSignal.timeout(Math.max(1_000, everyMs));
    void this.#spec.publisher.send(answer, signal).finally(() => delivery.ack());
    return true;
  }

  /** Bounded by the caller; never rejects. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#perch?.close();
  }

  async #tick(): Promise<void> {
    const targets = new Map(this.#spec.targets().map((target) => [nameOf(target), target]));
    this.#judge(() => this.#expire(targets));
    const perch = await this.#perchNow();
    if (!perch || targets.size === 0) return;
    const names = [...targets.keys()];
    const turn = names[(this.#turn += 1) % names.length];
    // A service in doubt is asked every time, so that it is not shown as broken for a round too long.
    for (const [name, target] of targets)
      if (name === turn || this.#lost.has(name)) void this.#send(name, target, perch);
  }

  /** Lose what is overdue, and forget services that we do not consume. */
  #expire(targets: ReadonlyMap<string, ServiceAddress>): void {
    const { clock, canary } = this.#spec.settings;
    const patienceMs = canary.everyMs * PATIENCE;
    for (const [id, { service, at }] of this.#flights) {
      if (targets.has(service) && clock.monotonic() - at < patienceMs) continue;
      this.#flights.delete(id);
      this.#lose(service, `silence for ${patienceMs} ms`);
    }
    for (const service of this.#lost.keys()) if (!targets.has(service)) this.#lost.delete(service);
  }

  async #perchNow(): Promise<Perch | null> {
    const { link, settings, limited } = this.#spec;
    const { model } = link;
    if (!model || this.#opening) return null;
    if (this.#perch?.alive && this.#perch.model === model) return this.#perch;
    this.#opening = true;
    try {
      const { exchange } = settings.canary;
      const heard = (id: string) => this.#heard(id);
      this.#perch = await openPerch(model, { exchange, link, timeoutMs: settings.watchMs, heard });
      this.#unproven = null;
      return this.#perch;
    } catch (error) {
      this.#unproven = `no canary can be sent: ${faultOf(error).text}`;
      limited.warn('broker.canary_unable', '', { reason: this.#unproven });
      return null;
    } finally {
      this.#opening = false;
    }
  }

  async #send(name: string, target: ServiceAddress, perch: Perch): Promise<void> {
    const { settings, publisher } = this.#spec;
    const { exchange, everyMs } = settings.canary;
    const expirationMs = everyMs * PATIENCE;
    const id = randomUUID();
    this.#flights.set(id, { service: name, at: settings.clock.monotonic() });
    const outcome = await publisher.send(
      {
        exchange: target.exchange,
        routingKey: target.routingKey,
        correlationId: id,
        body: Buffer.alloc(0),
        persistent: false,
        headers: { [CANARY_HEADER]: '1', replyToExchange: exchange },
        asks: { replyTo: perch.key, expirationMs },
      },
      AbortSignal.timeout(expirationMs),
    );
    this.#judge(() => this.#sent(id, name, outcome));
  }

  #sent(id: string, name: string, outcome: ReplyOutcome): void {
    if (outcome.kind === 'confirmed' || !this.#flights.delete(id)) return;
    if (outcome.kind === 'unroutable') this.#lose(name, 'no queue is bound for it');
    else this.#unproven = `no canary can be sent to ${name}: ${outcome.reason}`;
  }

  #lose(service: string, why: string): void {
    const { settings, limited } = this.#spec;
    this.#lost.set(service, why);
    settings.metrics?.count('vcx_canaries_total', { outcome: 'lost' });
    limited.warn('broker.canary_lost', service, { service, reason: why });
  }

  #heard(id: string): void {
    const flight = this.#flights.get(id);
    if (!flight) return;
    const { clock, metrics } = this.#spec.settings;
    const lastMs = clock.monotonic() - flight.at;
    this.#flights.delete(id);
    this.#unproven = null;
    this.#last = { lastMs, lastAt: clock.now() };
    metrics?.count('vcx_canaries_total', { outcome: 'back' });
    metrics?.observeMs('vcx_canary_ms', lastMs, { service: flight.service });
    this.#judge(() => this.#lost.delete(flight.service));
  }

  #judge(step: () => void): void {
    const before = this.problem;
    step();
    if (this.problem !== before) this.#spec.changed();
  }
}

function nameOf({ exchange, routingKey }: ServiceAddress): string {
  return `${exchange}/${routingKey}`;
}
