/**
 * A cell under chaos: publishes calls at a rate, keeps coming back after the broker was away, and accounts for each call.
 * May import: amqplib.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import { type ConfirmChannel, connect } from 'amqplib';

import { requestBody } from '../pipeline/messages.ts';
import { waitFor } from '../wait.ts';

export interface ChaosReply {
  readonly status: number;
  /** Decoded from base64. */
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Monotonic ms. */
  readonly at: number;
}

export interface ChaosCall {
  readonly id: string;
  readonly sentAt: number;
  /** The broker said that it has it. */
  confirmed: boolean;
  readonly replies: ChaosReply[];
}

export interface CallSpec {
  /** Bare id of the org; also in the body. @default one of the client's own */
  readonly org?: string;
  readonly method?: string;
  readonly query?: string;
  readonly id?: string;
  readonly key?: string;
  readonly path?: string;
}

export interface Account {
  readonly sent: number;
  /** With exactly one reply. */
  readonly once: number;
  /** With several replies, all with the same content: the broker delivered one twice, and a cell takes the first. */
  readonly repeated: number;
  /** Ids with several replies that differ. */
  readonly differing: readonly string[];
  /** Without a reply, and the broker went away meanwhile: the cell tells its caller 503 or 504. */
  readonly cutOff: number;
  /** Ids without a reply although the broker was there all the time. */
  readonly lost: readonly string[];
  /** Replies by status. */
  readonly statuses: Readonly<Record<string, number>>;
}

export interface ChaosClient extends AsyncDisposable {
  readonly org: string;
  /** Name of the reply queue, and its routing key. */
  readonly replyTo: string;
  readonly calls: ReadonlyMap<string, ChaosCall>;
  readonly connected: boolean;
  /** Publish one call; null while there is no broker: its caller would get 503. */
  send(spec?: CallSpec): ChaosCall | null;
  /** Publish at a rate until the returned function is called. */
  load(perSecond: number, spec?: () => CallSpec): () => void;
  /** Send and wait for the first reply. Not part of the account. */
  ask(spec?: CallSpec): Promise<ChaosReply>;
  /** Wait until every call is answered or its time is over; then account for all since the last time. */
  settle(): Promise<Account>;
}

const REQUESTS = 'sdkext';
const REPLIES = 'vcd.replyExchange';
const TICK_MS = 10;

/** `timeoutMs`: how long the callers wait, as the host is told. Messages and reply queue outlive the broker. */
export async function openChaosClient(
  url: string,
  { timeoutMs = 10_000, counterKey = 'counter' } = {},
): Promise<ChaosClient> {
  const org = randomUUID();
  const replyTo = `vcd.replyQueue.${randomUUID()}`;
  const calls = new Map<string, ChaosCall>();
  /** When a connection ended, in monotonic ms. */
  const losses: number[] = [];
  const stop = new AbortController();
  let channel: ConfirmChannel | null = null;

  function hear(content: Buffer, correlationId: string): void {
    const parsed = JSON.parse(content.toString()) as unknown;
    const http = (Array.isArray(parsed) ? parsed[0] : parsed) as {
      statusCode: number;
      body: string;
      headers: Record<string, string>;
    };
    calls.get(correlationId)?.replies.push({
      status: http.statusCode,
      body: Buffer.from(http.body, 'base64').toString(),
      headers: http.headers,
      at: performance.now(),
    });
  }

  async function live(): Promise<void> {
    const connection = await connect(`${url}?heartbeat=10`, { noDelay: true, timeout: 5_000 });
    connection.on('error', () => undefined);
    const closed = new Promise<void>((resolve) => {
      connection.on('close', () => resolve());
      stop.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    const fresh = await connection.createConfirmChannel();
    fresh.on('error', () => undefined);
    await fresh.assertExchange(REPLIES, 'direct', { durable: true });
    await fresh.assertExchange(REQUESTS, 'direct', { durable: true });
    await fresh.assertQueue(replyTo, { durable: true, expires: 60_000 });
    await fresh.bindQueue(replyTo, REPLIES, replyTo);
    const take = { noAck: true };
    await fresh.consume(
      replyTo,
      (message) => message && hear(message.content, String(message.properties.correlationId)),
      take,
    );
    channel = fresh;
    await closed;
    channel = null;
    losses.push(performance.now());
    await Promise.race([
      connection.close().catch(() => undefined),
      delay(1_000, undefined, { ref: false }),
    ]);
  }
  const loop = (async () => {
    while (!stop.signal.aborted) {
      await live().catch(() => undefined);
      await delay(100, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  })();
  await waitFor(() => channel !== null);

  function send(spec: CallSpec = {}): ChaosCall | null {
    if (!channel) return null;
    const id = spec.id ?? randomUUID();
    const call: ChaosCall = { id, sentAt: performance.now(), confirmed: false, replies: [] };
    const { method = 'POST', query = null, key = counterKey, path = '/api/counter' } = spec;
    const body = requestBody({
      http: { id, method, requestUri: path, queryString: query },
      security: { org: `urn:vcloud:org:${spec.org ?? org}` },
    });
    const properties = {
      deliveryMode: 2,
      correlationId: id,
      replyTo,
      headers: {
        messageType: 'ProcessHttpRequest',
        replyToExchange: REPLIES,
        replyByTimestamp: { '!': 'int64', value: Date.now() + timeoutMs },
      },
    };
    try {
      channel.publish(REQUESTS, key, body, properties, (error: unknown) => {
        if (!error) call.confirmed = true;
      });
    } catch {
      // The channel is on its way down.
      return null;
    }
    calls.set(id, call);
    return call;
  }

  function load(perSecond: number, spec: () => CallSpec = () => ({})): () => void {
    const began = performance.now();
    let sent = 0;
    const timer = setInterval(() => {
      const due = Math.floor(((performance.now() - began) / 1_000) * perSecond);
      // What a busy machine could not send in a quarter of a second is not made up for in one burst.
      sent = Math.max(sent, due - Math.ceil(perSecond / 4));
      for (; sent < due; sent += 1) send(spec());
    }, TICK_MS);
    return () => clearInterval(timer);
  }

  const isOver = (call: ChaosCall): boolean =>
    call.replies.length > 0 || performance.now() - call.sentAt > timeoutMs + 2_000;

  async function settle(): Promise<Account> {
    await waitFor(() => [...calls.values()].every(isOver), undefined, timeoutMs + 10_000);
    // Second replies of the last calls, if any, follow at once.
    await delay(300);
    const account = accountOf([...calls.values()], (call) =>
      losses.some((at) => at > call.sentAt && at < call.sentAt + timeoutMs),
    );
    calls.clear();
    return account;
  }

  return {
    org,
    replyTo,
    calls,
    get connected() {
      return channel !== null;
    },
    send,
    load,
    async ask(spec) {
      const call = send(spec);
      if (!call) throw new Error('no broker');
      await waitFor(
        () => call.replies.length > 0,
        () => `a reply to ${call.id}`,
      );
      calls.delete(call.id);
      return call.replies[0] as ChaosReply;
    },
    settle,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await loop;
    },
  };
}

function accountOf(calls: readonly ChaosCall[], wasCutOff: (call: ChaosCall) => boolean): Account {
  const statuses: Record<string, number> = {};
  const differing: string[] = [];
  const lost: string[] = [];
  let [once, repeated, cutOff] = [0, 0, 0];
  for (const call of calls) {
    const contents = new Set(call.replies.map(({ status, body }) => `${status} ${body}`));
    for (const { status } of call.replies) statuses[status] = (statuses[status] ?? 0) + 1;
    if (call.replies.length === 1) once += 1;
    else if (contents.size > 1) differing.push(call.id);
    else if (contents.size === 1) repeated += 1;
    else if (wasCutOff(call) || !call.confirmed) cutOff += 1;
    else lost.push(call.id);
  }
  return { sent: calls.length, once, repeated, differing, cutOff, lost, statuses };
}
