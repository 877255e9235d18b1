/**
 * The seam between the corridor and the machinery that runs guests.
 * May import: kernel, quotas.
 */
import type { Code } from '../kernel/errors.ts';
import type { Limits } from '../quotas/limits.ts';

/** One loaded version of a plug-in, as the sandbox needs it. */
export interface GuestBundle {
  readonly plugin: string;
  readonly version: string;
  /** SHA-256 of `source`, hex; with the V8 version and flags it keys the code cache. */
  readonly digest: string;
  /** One script without top-level await that assigns its default export to `globalThis.__vcx_plugin`. */
  readonly source: string;
  readonly limits: Limits;
  /** `plugin`: one runner for all orgs, an isolate each; `org`: a runner for each org; `request`: a fresh isolate for each call. */
  readonly isolation: 'plugin' | 'org' | 'request';
  /** Calls of one org that one isolate may hold at once; not with `request`. @default 1 */
  readonly callsPerIsolate?: number;
  /** Names of the bindings that appear on `env`. */
  readonly bindings: readonly string[];
  /** Its runners get what CPU time others leave. @default false */
  readonly niced?: boolean;
}

export type HandlerName = 'fetch' | 'response' | 'notification';

/** Serves host calls of one invocation. Never rejects: failures are `{ok:false, code}` as JSON. */
export type HostCall = (
  binding: string,
  method: string,
  argsJson: string,
  signal: AbortSignal,
) => Promise<string>;

export interface Invocation {
  /** Id for logs; never shown to other orgs. */
  readonly callId: string;
  readonly bundle: GuestBundle;
  readonly org: string;
  readonly handler: HandlerName;
  /** JSON text that the guest's dispatcher understands: `GuestRequest` of `sdk/guest/abi.ts`. */
  readonly payload: string;
  /** Monotonic time in ms by which the outcome must be known. */
  readonly deadline: number;
  /** Whether the call may be run once more after a runner died under it. */
  readonly idempotent: boolean;
  readonly hostCall: HostCall;
  readonly log: (level: 'debug' | 'info' | 'warn' | 'error', text: string) => void;
  /**
   * Told after the outcome, once nothing of the call is left, with the heap of its isolate in KiB if it was looked
   * at (`heapEveryCalls`). Not told when the isolate was ended.
   */
  readonly settled?: (heapKb: number | null) => void;
  /**
   * Told after the outcome of CPU time in ms that its `usage` does not hold: work after the reply, and what became known
   * only when the isolate of an ended call came to rest.
   */
  readonly charge?: (cpuMs: number) => void;
}

export interface Usage {
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly hostCalls: number;
  /** Pid of the runner process; differs from the host's. */
  readonly pid: number;
  /** Whether the isolate had to be made for this call. */
  readonly cold: boolean;
}

/** How an invocation ended. `reply` is the guest's JSON (`GuestReply`), hostile until validated. */
export type Outcome =
  | { readonly kind: 'replied'; readonly reply: string; readonly usage: Usage }
  | {
      readonly kind: 'failed';
      readonly code: Code;
      readonly message: string;
      readonly usage: Usage | null;
    };

export interface RunnerStatus {
  readonly pid: number;
  readonly state: 'starting' | 'spare' | 'serving' | 'draining' | 'dead';
  readonly plugin: string | null;
  readonly version: string | null;
  readonly isolates: number;
  readonly inFlight: number;
  readonly rssBytes: number;
}

export interface SandboxStatus {
  readonly ready: boolean;
  readonly reason: string | null;
  readonly runners: readonly RunnerStatus[];
  /** Barriers that hold on this machine, and those that are missing with the reason. */
  readonly barriers: readonly {
    readonly name: string;
    readonly active: boolean;
    readonly detail: string;
  }[];
}

export interface Sandbox extends AsyncDisposable {
  /** Compile and load the bundle in a throw-away isolate; throws `BUNDLE_INVALID` with the reason. Returns the handlers it has. */
  probe(bundle: GuestBundle): Promise<readonly HandlerName[]>;
  /** Run one handler. Never throws; settles before `deadline` plus 250 ms whatever the guest does. Any number may run at once. */
  invoke(invocation: Invocation): Promise<Outcome>;
  /**
   * Open isolates of `to` for the orgs that lately called `from`, so that none of them waits when it takes over.
   * Never rejects; resolves within seconds, whether all could be opened or not.
   */
  warm(from: GuestBundle, to: GuestBundle): Promise<void>;
  /** Let isolates of this version finish their calls, then free them. */
  retire(plugin: string, version: string): Promise<void>;
  status(): SandboxStatus;
}
