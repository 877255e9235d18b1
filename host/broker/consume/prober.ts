/**
 * Asks the broker questions that may cost the channel they are asked on, and never the channel that carries work.
 * May import: kernel, amqplib.
 */
import type { Channel, ChannelModel } from 'amqplib';

import { pause } from '../../kernel/time.ts';
import { type Fault, faultOf } from '../faults.ts';
import type { Link } from '../connection/link.ts';

export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly fault: Fault & { readonly code: number } };

/** How long a question may still end by itself once its connection was given up. */
const DROPPED_MS = 1_000;

/** One question at a time. */
export interface Prober extends AsyncDisposable {
  /** A refusal with a reply code is an answer; a lost connection or a silent broker rejects. */
  ask<T>(question: (channel: Channel) => Promise<T>): Promise<Answer<T>>;
  /** Close the channel, so that messages which came on it go back to their queue. The next question opens another. */
  reset(): Promise<void>;
}

/** Questions on throw-away channels of one connection; a refusal closes the channel and the next question opens another. */
export function createProber(link: Link, model: ChannelModel, timeoutMs: number): Prober {
  let channel: Channel | null = null;
  async function reset(): Promise<void> {
    const last = channel;
    channel = null;
    if (last) await within(link, closeChannel(last), timeoutMs).catch(() => undefined);
  }
  return {
    reset,
    async ask<T>(question: (channel: Channel) => Promise<T>): Promise<Answer<T>> {
      try {
        channel ??= await within(link, openChannel(model), timeoutMs);
        return { ok: true, value: await within(link, question(channel), timeoutMs) };
      } catch (error) {
        channel = null;
        const fault = faultOf(error);
        if (fault.code === null) throw error;
        return { ok: false, fault: { ...fault, code: fault.code } };
      }
    },
    [Symbol.asyncDispose]: reset,
  };
}

async function openChannel(model: ChannelModel): Promise<Channel> {
  const channel = await model.createChannel();
  // The question's own promise tells; an unheard 'error' event would end the process.
  channel.on('error', () => undefined);
  return channel;
}

/**
 * Resolves when the channel is closed, at once when it is already. Never rejects. amqplib's own promise is never
 * settled when the connection ends meanwhile; the event comes all the same.
 */
export function closeChannel(channel: Channel): Promise<void> {
  return new Promise((resolve) => {
    channel.once('close', () => resolve());
    void channel.close().catch(() => resolve());
  });
}

/**
 * Wait for an answer of the broker. One that does not come in time means that the peer is gone or
 * stuck, so the connection is dropped: reconnecting is the only way on. Not while the broker holds
 * back answers on purpose (`blocked`).
 */
export async function within<T>(link: Link, answer: Promise<T>, timeoutMs: number): Promise<T> {
  const done = new AbortController();
  const late = (async (): Promise<never> => {
    for (let silent = false; !silent; silent = link.blocked === null && !done.signal.aborted) {
      await pause(timeoutMs, done.signal);
      // The answer is there, and nobody listens to this any more.
      if (done.signal.aborted) throw new Error('answered');
    }
    const reason = `no answer in ${timeoutMs} ms`;
    link.drop(reason);
    // The end of the connection ends most questions, but not all.
    await pause(DROPPED_MS, done.signal);
    throw new Error(reason);
  })();
  try {
    return await Promise.race([answer, late]);
  } finally {
    done.abort();
  }
}
