/**
 * Ctrl-C and SIGTERM: the first asks for an orderly stop, the second ends at once.
 * May import: nothing.
 */

export interface StopRequest {
  /** Resolves at the first signal. */
  readonly requested: Promise<void>;
  readonly signal: AbortSignal;
  /** As a first signal does. */
  stop(): void;
}

/** Install the handlers; from now on the process ends only by its own decision or a second signal. */
export function untilStopped(): StopRequest {
  const controller = new AbortController();
  const { promise: requested, resolve } = Promise.withResolvers<void>();
  const stop = () => {
    controller.abort();
    resolve();
  };
  const onSignal = () => {
    // Runners and the local cloud end by themselves when their sockets close.
    if (controller.signal.aborted) process.exit(130);
    stop();
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);
  return { requested, signal: controller.signal, stop };
}
