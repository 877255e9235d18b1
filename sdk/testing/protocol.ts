/**
 * What the test kit and `vcx plugin harness` say to each other: one JSON object a line, over stdin and stdout.
 * May import: nothing.
 */

/** Who makes a call. */
export interface TestCaller {
  /** @default a fixed user */
  readonly user: string;
  /** URN of the org: each has an isolate and a store of its own. */
  readonly org: string;
  /** Names of the plug-in's own rights that the caller holds; null for all of them. */
  readonly rights: readonly string[] | null;
  /** Whether the caller belongs to the provider's System org. */
  readonly provider: boolean;
}

export interface HarnessCall {
  readonly handler: 'fetch' | 'response' | 'notification';
  readonly method: string;
  /** Path with query. */
  readonly url: string;
  /** Of the answer that a `response` handler looks at. */
  readonly status: number | null;
  readonly headers: readonly (readonly [string, string])[];
  /** Base64, or null for none. */
  readonly body: string | null;
  readonly caller: TestCaller;
  /** What comes with a notification; null for all other calls. */
  readonly notification: HarnessNotification | null;
}

export interface HarnessNotification {
  readonly attempt: number;
  /** The operation that waits for a decision. */
  readonly blockingTask: { readonly operation: string; readonly timeoutMs: number } | null;
  /** What `entity()` gives, of the event and of the blocking task. */
  readonly entity: unknown;
}

/** How a host call ended. */
export type HostResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** One host call of the plug-in, as it went. */
export interface HostCallRecord {
  readonly binding: string;
  readonly method: string;
  readonly args: readonly unknown[];
  readonly result: HostResult;
}

/** What a call cost. */
export interface HarnessUsage {
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly hostCalls: number;
  /** Whether the isolate had to be made for this call. */
  readonly cold: boolean;
}

export interface HarnessAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  /** Base64. */
  readonly body: string;
  /** Code of the refusal, or null when the handler answered. */
  readonly code: string | null;
  /** Why it was refused: what the log of a host says, not what callers see. */
  readonly message: string | null;
  readonly usage: HarnessUsage | null;
}

/** The quotas that the kit watches; their limits come from the manifest. */
export const WATCHED = ['cpuMs', 'wallMs', 'memoryMb', 'hostCalls', 'responseBytes'] as const;
/** Name of a quota that headroom is reported for. */
export type Quota = (typeof WATCHED)[number];

export type ToHarness =
  /** Comes first and once. */
  | { readonly type: 'open'; readonly stubs: readonly string[]; readonly config: unknown }
  | { readonly type: 'call'; readonly id: number; readonly call: HarnessCall }
  /** The answer of a stub to `host`. */
  | { readonly type: 'hostReply'; readonly id: number; readonly result: HostResult };

export type FromHarness =
  | {
      readonly type: 'ready';
      readonly plugin: string;
      readonly version: string;
      readonly limits: Readonly<Record<Quota, number>>;
    }
  /** The plug-in can not be loaded, or the harness not go on; it ends. */
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  /** The plug-in called a binding that the test stands in for; answered by `hostReply` with the same id. */
  | {
      readonly type: 'host';
      readonly id: number;
      readonly binding: string;
      readonly method: string;
      readonly args: readonly unknown[];
    }
  /** A host call of this call is over, whoever answered it. */
  | { readonly type: 'hostDone'; readonly call: number; readonly record: HostCallRecord }
  | {
      readonly type: 'log';
      readonly call: number;
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly text: string;
    }
  | { readonly type: 'answer'; readonly call: number; readonly answer: HarnessAnswer }
  /** Nothing of the call is left; heap of its isolate in KiB when it was looked at. */
  | { readonly type: 'settled'; readonly call: number; readonly heapKb: number | null };
