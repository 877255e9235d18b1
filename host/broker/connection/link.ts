/**
 * One supervised connection to the broker: dials until it holds, tells when it is up and down, and dials again.
 * amqplib's own `recovery` is not used: it knows one address and one password, and a full jitter needs its loop anyway.
 * May import: kernel, amqplib.
 */
import type { ChannelModel } from 'amqplib';

import { backoffMs, pause } from '../../kernel/time.ts';
import type { Address } from './address.ts';
import { bounded } from '../bounded.ts';
import { dial, socketOf } from './dial.ts';
import { type Fault, faultOf } from '../faults.ts';
import { type FrameGuardOptions, guardFrames } from './frame-guard.ts';
import type { LimitedLog } from '../log-limit.ts';
import type { Settings } from '../options.ts';

export interface Link extends AsyncDisposable {
  readonly name: LinkName;
  /** The live connection, or null. */
  readonly model: ChannelModel | null;
  /** Why there is none, in one line; null while it is up. */
  readonly reason: string | null;
  /** How the last connection ended, or null. */
  readonly fault: Fault | null;
  /** Why the broker takes no publishes (`low on memory`), or null. */
  readonly blocked: string | null;
  /** Bytes received on the live connection; tells a slow peer from a silent one. */
  bytesRead(): number;
  /** Give up on the present connection; the next is dialled at once. */
  drop(reason: string): void;
}

export type LinkName = 'consume' | 'publish';

export interface LinkSpec {
  readonly name: LinkName;
  readonly addresses: readonly Address[];
  readonly settings: Settings;
  readonly limited: LimitedLog;
  /** Called after every change, also of `blocked`; must not throw. */
  readonly changed: () => void;
}

/** A connection that held this long was good: the next attempt is made at once. */
const STABLE_MS = 5_000;
const CLOSE_MS = 1_000;

/** Start to connect; returns at once. Dispose closes politely for a second at most, then cuts. */
export function openLink(spec: LinkSpec): Link {
  const state: State = {
    model: null,
    reason: 'not connected yet',
    fault: null,
    blocked: null,
  };
  const stop = new AbortController();
  const finished = supervise(spec, state, stop.signal);

  return {
    name: spec.name,
    get model() {
      return state.model;
    },
    get reason() {
      return state.reason;
    },
    get fault() {
      return state.fault;
    },
    get blocked() {
      return state.blocked;
    },
    bytesRead: () => (state.model ? (socketOf(state.model)?.bytesRead ?? 0) : 0),
    drop: (reason) => cut(state.model, reason),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await hangUp(state.model);
      await finished;
    },
  };
}

interface State {
  model: ChannelModel | null;
  reason: string | null;
  fault: Fault | null;
  blocked: string | null;
}

async function supervise(spec: LinkSpec, state: State, stop: AbortSignal): Promise<void> {
  const { addresses, settings, name } = spec;
  const { initialMs, maxMs } = settings.recovery;
  for (let attempt = 0; !stop.aborted; attempt += 1) {
    const address = addresses[attempt % addresses.length] as Address;
    const since = settings.clock.monotonic();
    const held = await holdOne(spec, { state, address, attempt: attempt + 1, stop });
    if (held && settings.clock.monotonic() - since > STABLE_MS) attempt = -1;
    // Every host is tried before the pause grows.
    const round = Math.floor(Math.max(attempt, 0) / addresses.length);
    if (!stop.aborted) await pause(backoffMs(round, { firstMs: initialMs, maxMs }), stop);
  }
  state.reason = 'closed';
  settings.log.debug('broker.link_closed', { link: name });
}

interface Round {
  readonly state: State;
  readonly address: Address;
  readonly attempt: number;
  readonly stop: AbortSignal;
}

/** Connect and stay until the connection ends. False when there never was one. */
async function holdOne(spec: LinkSpec, round: Round): Promise<boolean> {
  const { settings, limited, changed, name } = spec;
  const { state, address, attempt, stop } = round;
  const shown = address.shown;
  if (attempt === 1) state.reason = `connecting to ${shown}`;
  try {
    const model = await dial({
      address,
      settings,
      name: `${settings.clientName}/${name}`,
      signal: stop,
    });
    guardFrames(model, { maxBytes: settings.maxMessageBytes, report: hostile(spec) });
    const ended = untilEnd(model, state, changed);
    if (stop.aborted) cut(model, 'closed');
    Object.assign(state, { model, reason: null });
    settings.metrics?.count('vcx_broker_connects_total', { link: name });
    settings.log.info('broker.connected', { link: name, address: shown });
    changed();
    const fault = await ended;
    const reason = fault.text;
    Object.assign(state, { model: null, blocked: null, fault, reason: `${shown}: ${reason}` });
    if (!stop.aborted)
      limited.warn('broker.disconnected', name, { link: name, address: shown, reason });
    settings.metrics?.count('vcx_broker_disconnects_total', { link: name });
    changed();
    return true;
  } catch (error) {
    const fault = faultOf(error).text;
    state.reason = `connecting to ${shown} (${fault}), attempt ${attempt}`;
    if (!stop.aborted)
      limited.warn('broker.connect_failed', `${name} ${shown}`, {
        link: name,
        address: shown,
        reason: fault,
        attempt,
      });
    changed();
    return false;
  }
}

function hostile({ settings, limited }: LinkSpec): FrameGuardOptions['report'] {
  return (what, detail) => {
    settings.metrics?.count('vcx_broker_hostile_messages_total', { what });
    limited.warn('broker.hostile_message', what, { what, detail });
  };
}

/** Resolves with the reason when the connection has ended, however that happens. */
function untilEnd(model: ChannelModel, state: State, changed: () => void): Promise<Fault> {
  return new Promise((resolve) => {
    let first: unknown = null;
    model.on('error', (error) => (first ??= error));
    model.on('blocked', (reason) => {
      state.blocked = reason;
      changed();
    });
    model.on('unblocked', () => {
      state.blocked = null;
      changed();
    });
    const socket = socketOf(model);
    const end = (error?: Error) => {
      // amqplib only ends its side; a peer that is gone never ends the other.
      setTimeout(() => socket?.destroy(), CLOSE_MS).unref();
      resolve(faultOf(first ?? error ?? 'closed by the broker'));
    };
    model.on('close', end);
    if (socket?.writableEnded) end();
  });
}

/** End a connection without asking the peer. amqplib hears of it as a socket error. */
function cut(model: ChannelModel | null, reason: string): void {
  if (model) socketOf(model)?.destroy(new Error(reason));
}

async function hangUp(model: ChannelModel | null): Promise<void> {
  if (!model) return;
  // A connection that is closing already rejects; it is cut below either way.
  await bounded((async () => model.close())(), CLOSE_MS);
  cut(model, 'closed');
}
