/**
 * Ctrl-C and SIGTERM: the first asks for an orderly stop, the second ends at once.
 * May import: nothing.
 */

export interface StopRequest {
  /** Resolves at the first signal. */
  readonly requested: Promise<void>;
  readonly signal: AbortSignal;
}

/** Install the handlers; from now on the process ends only by its own decision or a second signal. */
export function untilStopped(): StopRequest {
  const controller = new AbortController();
  const requested = new Promise<void>((resolve) => {
    const onSignal = () => {
      // Runners and the local cloud end by themselves when their sockets close.
      if (controller.signal.aborted) process.exit(130);
      controller.abort();
      resolve();
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    process.on('SIGHUP', onSignal);
  });
  return { requested, signal: controller.signal };
}
