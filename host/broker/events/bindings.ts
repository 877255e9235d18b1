/**
 * Brings the bindings of one event queue in line with what its plug-in wants, and takes off those of ours that it does not want any more.
 * May import: kernel, message.
 */
import { messageOf } from '../../kernel/errors.ts';
import type { Binding, KnownBindings } from '../../message/events.ts';
import type { Prober } from '../consume/prober.ts';
import { ensureBinding } from '../consume/topology.ts';
import { REPLY } from '../faults.ts';

export interface BindingsTask {
  readonly prober: Prober;
  readonly known: KnownBindings;
  readonly queue: string;
}

/** What could not be done, in words; empty when all is well. Rejects when the connection is lost. */
export async function reconcileBindings(
  task: BindingsTask,
  wanted: readonly Binding[],
  missing: readonly string[],
): Promise<string[]> {
  const { known, queue } = task;
  const remembered = await remember(() => known.get(queue));
  const stale = remembered.value?.filter((one) => !has(wanted, one)) ?? [];
  const fresh = wanted.filter((one) => !has(remembered.value ?? [], one));
  const all = [...(remembered.value ?? []), ...fresh];
  // First written down, then bound: a crash in between leaves one to take off, not one that nobody knows of.
  const written =
    fresh.length > 0 && remembered.ok ? await remember(() => known.put(queue, all)) : remembered;
  const there = wanted.filter(({ exchange }) => !missing.includes(exchange));
  const problems = await bindAll(task, there);
  if (stale.length > 0) {
    problems.push(...(await unbindAll(task, stale)));
    if (problems.length === 0) await remember(() => known.put(queue, wanted));
  }
  return written.ok
    ? problems
    : [...problems, `what was bound before is not known: ${written.reason}`];
}

async function bindAll(
  { prober, queue }: BindingsTask,
  list: readonly Binding[],
): Promise<string[]> {
  const problems: string[] = [];
  for (const { exchange, pattern } of list) {
    const spec = {
      exchange: { name: exchange, type: 'topic' as const },
      queue: { name: queue, options: { durable: true, arguments: {} } },
      routingKey: pattern,
    };
    const { state, detail } = await ensureBinding(prober, spec);
    if (state === 'problem' || state === 'unchecked') problems.push(detail);
  }
  return problems;
}

/** Unbinding what is not bound is fine with the broker; so is an exchange or a queue that is gone with us. */
export async function unbindAll(
  { prober, queue }: Omit<BindingsTask, 'known'>,
  list: readonly Binding[],
): Promise<string[]> {
  const problems: string[] = [];
  for (const { exchange, pattern } of list) {
    const answer = await prober.ask((channel) => channel.unbindQueue(queue, exchange, pattern));
    if (!answer.ok && answer.fault.code !== REPLY.notFound)
      problems.push(`${exchange} -> ${queue} (${pattern}) stays bound: ${answer.fault.text}`);
  }
  return problems;
}

type Remembered<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly value: null; readonly reason: string };

async function remember<T>(ask: () => Promise<T>): Promise<Remembered<T>> {
  try {
    return { ok: true, value: await ask() };
  } catch (error) {
    return { ok: false, value: null, reason: messageOf(error) };
  }
}

function has(list: readonly Binding[], { exchange, pattern }: Binding): boolean {
  return list.some((one) => one.exchange === exchange && one.pattern === pattern);
}
