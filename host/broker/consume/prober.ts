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
    // It may be closed already, and then there is nothing to do.
    if (last) await within(link, last.close(), timeoutMs).catch(() => undefined);
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
 * Wait for an answer of the broker. One that does not come in time means that the peer is gone or
 * stuck, so the connection is dropped: reconnecting is the only way on. Not while the broker holds
 * back answers on purpose (`blocked`).
 */
export async function within<T>(link: Link, answer: Promise<T>, timeoutMs: number): Promise<T> {
  const done = new AbortController();
  const late = (async () => {
    for (let silent = false; !silent; silent = link.blocked === null && !done.signal.aborted) {
      await pause(timeoutMs, done.signal);
      if (done.signal.aborted) return;
    }
    link.drop(`no answer in ${timeoutMs} ms`);
  })();
  try {
    return await Promise.race([answer, late.then(() => answer)]);
  } finally {
    done.abort();
  }
}
