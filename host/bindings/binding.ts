/**
 * What a host service looks like that can be granted to plug-ins.
 * May import: kernel.
 */
import type { Code } from '../kernel/errors.ts';

/** On whose behalf a host call is made: from the host's record of the call, never from the guest. */
export interface Grant {
  readonly plugin: string;
  readonly version: string;
  /** URN of the caller's org. */
  readonly org: string;
  readonly user: string;
  readonly callId: string;
}

export type BindingResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: Code; readonly message: string };

/** One host service. To add one: a folder beside this file and a line in `registry.ts`. */
export interface Binding {
  /** Property of `env` and the name in the manifest. */
  readonly name: string;
  /**
   * Serve one host call. `args` is whatever the guest sent: check types and sizes. May throw a
   * HostError; anything else becomes BINDING_FAILED without its text. `signal` fires when the call
   * has ended.
   */
  call(grant: Grant, method: string, args: unknown, signal: AbortSignal): Promise<unknown>;
}
