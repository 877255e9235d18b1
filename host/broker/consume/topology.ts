/**
 * Exchanges, queues and bindings: looked at first, made when missing, explained when they are not as expected.
 * Nothing that exists is ever changed or deleted.
 * May import: kernel.
 */
import { type Fault, REPLY } from '../faults.ts';
import type { QueueOptions, ServiceAddress } from '../options.ts';
import { queueOf } from '../options.ts';
import type { Prober } from './prober.ts';

/** What was found of one exchange, queue or binding. */
export interface Finding {
  readonly what: 'exchange' | 'queue' | 'binding';
  readonly name: string;
  /** `differs` and `unchecked` are used as they are; `problem` stops what depends on it. */
  readonly state: 'found' | 'made' | 'differs' | 'unchecked' | 'problem';
  /** What is wrong and what to do about it; '' when all is well. */
  readonly detail: string;
  /** Of a queue that existed: how many consumers it had. */
  readonly consumers?: number;
  /** Of a queue that existed: messages waiting in it. */
  readonly messages?: number;
}

export interface ExchangeSpec {
  readonly name: string;
  readonly type: 'direct' | 'topic' | 'fanout';
}

export interface QueueSpec {
  readonly name: string;
  readonly options: {
    readonly durable: boolean;
    readonly arguments: Readonly<Record<string, unknown>>;
  };
}

/** Exchange, queue and binding of one service; stops at the first problem. */
export async function ensureService(
  prober: Prober,
  service: ServiceAddress,
  options: Required<QueueOptions>,
): Promise<Finding[]> {
  const exchange = { name: service.exchange, type: service.exchangeType ?? 'direct' } as const;
  const queue = serviceQueue(queueOf(service), options);
  return ensureBound(prober, { exchange, queue, routingKey: service.routingKey });
}

export interface BoundSpec {
  readonly exchange: ExchangeSpec;
  readonly queue: QueueSpec;
  readonly routingKey: string;
}

/** An exchange, a queue and the binding between them, in this order; stops at the first problem. */
export async function ensureBound(prober: Prober, spec: BoundSpec): Promise<Finding[]> {
  const findings: Finding[] = [];
  const steps = [
    () => ensureExchange(prober, spec.exchange),
    () => ensureQueue(prober, spec.queue),
    () => ensureBinding(prober, spec),
  ];
  for (const step of steps) {
    const finding = await step();
    findings.push(finding);
    if (finding.state === 'problem') break;
  }
  return findings;
}

export async function ensureExchange(prober: Prober, spec: ExchangeSpec): Promise<Finding> {
  const { name, type } = spec;
  const say = (state: Finding['state'], detail = ''): Finding => ({
    what: 'exchange',
    name,
    state,
    detail,
  });
  const bad = nameProblem(name);
  if (bad) return say('problem', `exchange ${bad}`);

  const looked = await prober.ask((channel) => channel.checkExchange(name));
  if (!looked.ok && looked.fault.code !== REPLY.notFound)
    return say('problem', `exchange ${name}: ${looked.fault.text}`);
  // Declaring what exists changes nothing: the broker compares, and a passive look does not show the type.
  const declared = await prober.ask((channel) =>
    channel.assertExchange(name, type, { durable: true }),
  );
  if (declared.ok) return say(looked.ok ? 'found' : 'made');
  const { code, text } = declared.fault;
  if (!looked.ok) return say('problem', `exchange ${name} is missing and can not be made: ${text}`);
  if (code === REPLY.accessRefused) return say('unchecked', `type not verified: ${text}`);
  const found = inequivalent(text);
  if (found?.argument !== 'type') return say('differs', `used as it is: ${text}`);
  return say(
    'problem',
    `exchange ${name} is of type ${found.current}, expected ${type}: ` +
      `give the service an exchange of its own, or delete this one if nobody else uses it`,
  );
}

export async function ensureQueue(prober: Prober, spec: QueueSpec): Promise<Finding> {
  const { name, options } = spec;
  const say = (state: Finding['state'], detail = ''): Finding => ({
    what: 'queue',
    name,
    state,
    detail,
  });
  const bad = nameProblem(name);
  if (bad) return say('problem', `queue ${bad}`);

  const looked = await prober.ask((channel) => channel.checkQueue(name));
  if (!looked.ok && looked.fault.code !== REPLY.notFound)
    return say('problem', `queue ${name}: ${looked.fault.text}`);
  const counts = looked.ok
    ? { consumers: looked.value.consumerCount, messages: looked.value.messageCount }
    : {};
  const declared = await prober.ask((channel) => channel.assertQueue(name, options));
  if (declared.ok) return { ...say(looked.ok ? 'found' : 'made'), ...counts };
  if (!looked.ok)
    return say('problem', `queue ${name} is missing and can not be made: ${declared.fault.text}`);
  return { ...differingQueue(say, declared.fault), ...counts };
}

/** A queue made by somebody else, or under other settings, still carries messages: better used than not. */
function differingQueue(
  say: (state: Finding['state'], detail: string) => Finding,
  fault: Fault,
): Finding {
  if (fault.code === REPLY.accessRefused) return say('unchecked', `used as it is: ${fault.text}`);
  return say(
    'differs',
    `used as it is: ${fault.text}; delete it while no message waits to have it made anew`,
  );
}

/** Bind; a binding that is there already stays as it is. */
export async function ensureBinding(prober: Prober, spec: BoundSpec): Promise<Finding> {
  const { exchange, queue, routingKey } = spec;
  const name = `${exchange.name} -> ${queue.name} (${routingKey})`;
  const say = (state: Finding['state'], detail = ''): Finding => ({
    what: 'binding',
    name,
    state,
    detail,
  });
  const bad = nameProblem(routingKey, true);
  if (bad) return say('problem', `routing key ${bad}`);
  const bound = await prober.ask((channel) =>
    channel.bindQueue(queue.name, exchange.name, routingKey),
  );
  if (bound.ok) return say('found');
  // An operator who keeps us from binding has bound it, as far as we can know.
  if (bound.fault.code === REPLY.accessRefused)
    return say('unchecked', `not verified: ${bound.fault.text}`);
  return say('problem', `binding ${name}: ${bound.fault.text}`);
}

function serviceQueue(name: string, options: Required<QueueOptions>): QueueSpec {
  const { quorum, messageTtlMs, deadLetterExchange } = options;
  return {
    name,
    options: {
      durable: options.durable || quorum,
      arguments: {
        ...(quorum && { 'x-queue-type': 'quorum' }),
        ...(messageTtlMs !== null && { 'x-message-ttl': messageTtlMs }),
        ...(deadLetterExchange !== null && { 'x-dead-letter-exchange': deadLetterExchange }),
      },
    },
  };
}

/** AMQP's short strings end at 255 bytes, and amqplib's channel does not survive a longer one. */
function nameProblem(name: string, mayBeEmpty = false): string | null {
  if (name === '' && !mayBeEmpty) return 'must have a name: the default one is refused';
  const bytes = Buffer.byteLength(name);
  return bytes > 255 ? `${name.slice(0, 40)}… has ${bytes} bytes, AMQP allows 255` : null;
}

/** Read `inequivalent arg 'type' for exchange 'x' in vhost '/': received 'direct' but current is 'topic'`. */
export function inequivalent(text: string): { argument: string; current: string } | null {
  const match = /inequivalent arg '([^']+)' for .*: received .* but current is (.*)$/.exec(text);
  return match ? { argument: match[1] ?? '', current: (match[2] ?? '').replaceAll("'", '') } : null;
}
