/**
 * The services wanted at present, with what was found of each one's topology.
 * May import: kernel.
 */
import type { HostError } from '../../kernel/errors.ts';
import { topologyError } from '../faults.ts';
import { type QueueOptions, type ServiceAddress, queueOf } from '../options.ts';
import type { Prober } from './prober.ts';
import { type Finding, ensureService } from './topology.ts';

export interface ServiceState {
  readonly address: ServiceAddress;
  readonly queue: string;
  /** Looked at on the present connection, or one before. */
  known: boolean;
  /** False while exchange, queue and binding are to be looked at (again). */
  ensured: boolean;
  findings: readonly Finding[];
  /** Why its queue is not consumed for it, or null. */
  problem: HostError | null;
}

export class ServiceSet {
  #states = new Map<string, ServiceState>();
  readonly #suspects = new Set<string>();

  /** Take over a new list; what is known of services that stay is kept. */
  replace(list: readonly ServiceAddress[]): void {
    const next = new Map<string, ServiceState>();
    for (const address of list) {
      const queue = queueOf(address);
      const key = JSON.stringify([
        address.exchange,
        address.routingKey,
        queue,
        address.exchangeType,
      ]);
      const known = this.#states.get(key);
      next.set(
        key,
        known ?? { address, queue, known: false, ensured: false, findings: [], problem: null },
      );
    }
    this.#states = next;
  }

  all(): ServiceState[] {
    return [...this.#states.values()];
  }

  /** Look again at all services, or at those of one queue. */
  doubt(queue?: string): void {
    for (const state of this.#states.values())
      if (queue === undefined || state.queue === queue) state.ensured = false;
  }

  /** Queues that at least one service has in order. */
  queues(): Set<string> {
    return new Set(this.all().flatMap((state) => (usable(state) ? [state.queue] : [])));
  }

  /** See to the topology of every doubted service. One service's problem never stops the next. */
  async ensure(prober: Prober, options: Required<QueueOptions>): Promise<void> {
    for (const state of this.all()) {
      if (state.ensured) continue;
      state.findings = await ensureService(prober, state.address, options);
      const wrong = state.findings.find((finding) => finding.state === 'problem');
      state.problem = wrong ? topologyError(wrong.detail) : null;
      state.known = true;
      state.ensured = true;
    }
  }

  /** A queue that was refused once is tried where a refusal costs the other consumers nothing. */
  async clearSuspects(prober: Prober): Promise<void> {
    for (const queue of this.queues()) {
      if (!this.#suspects.has(queue)) continue;
      const tried = await prober.ask(async (channel) => {
        await channel.prefetch(1);
        await channel.consume(queue, () => undefined);
      });
      await prober.reset();
      if (tried.ok) this.#suspects.delete(queue);
      else this.fail(queue, tried.fault.text);
    }
  }

  /** A queue could not be consumed: shown with its services until they are looked at again. */
  fail(queue: string, text: string): void {
    this.#suspects.add(queue);
    for (const state of this.#states.values())
      if (state.queue === queue) state.problem = topologyError(`queue ${queue}: ${text}`);
  }
}

function usable(state: ServiceState): boolean {
  return state.known && state.problem === null;
}
