/**
 * The words that cross between a runner and the prelude inside an isolate: strings and numbers only.
 * Type-checked in both worlds; imports nothing.
 *
 * The runner defines these functions on the global object before the prelude runs; the prelude
 * captures and deletes them:
 *   __vcx_post(kind, id, text)   guest -> runner, returns nothing at once (message style)
 *   __vcx_random(count)          up to 1024 bytes of the runner's CSPRNG as base64, synchronous
 *   __vcx_domainToASCII(host)    non-ASCII host names for the URL parser, synchronous
 *   gc(options)                  V8's own; may be absent
 * The prelude leaves one function on the global object, which the runner takes a reference to and deletes:
 *   __vcx_enter(kind, id, text, keep)  runner -> guest
 * With `keep` true at `call`, the messages of that call are not posted but kept until the runner enters with `take`,
 * which returns them one after the other, each as kind, id and length of its text in UTF-16 units with a line break
 * behind each of the three, then the text. A guest with much to say posts what it kept, and the rest one by one.
 * The plug-in's script assigns its default export to `globalThis.__vcx_plugin`; `enter('load')` takes it away.
 *
 * The runner itself answers host calls of the binding `vcx:crypto` (they are not granted and not counted):
 *   digest {algorithm, data}      algorithm SHA-1, SHA-256, SHA-384 or SHA-512, data base64; value: base64
 *   hmac   {algorithm, key, data} likewise, key base64; value: base64
 *
 * Code cache: the prelude runs inside node:vm with three stubs, `__vcx_post` doing nothing, `__vcx_random` giving
 * base64 of `count` zero bytes, `__vcx_domainToASCII` giving back its argument. A `load` and a `call` or two of a
 * small plug-in before `createCachedData()` put the functions of the hot path into the cache too
 * (`test/support/guest/cache.ts` does). Caches of processes with and without `--no-node-snapshot`, or with other
 * V8 flags, refuse each other.
 *
 * A promise that a guest rejects and nobody handles makes isolated-vm reject the entry in which it happened; that
 * is no failure of the call, which is answered by `reply` or `threw` all the same.
 */

/** Kinds that the runner sends in. `id` is the call for `call`, the sequence number for the others. */
export type EnterKind =
  /** Check the plug-in's default export; answered by `loaded` or `refused`. text: JSON `GuestSetup`. */
  | 'load'
  /** Begin a call; answered by `reply` or `threw`, later by `settled`. text: JSON `GuestRequest`. */
  | 'call'
  /** A host call's answer. text: JSON `{ok:true, value}` or `{ok:false, code, message}`. */
  | 'hostReply'
  /** A timer is due. */
  | 'timer'
  /** Returns the messages that were kept; nothing of the guest runs. */
  | 'take'
  /** Collect garbage; nothing of the guest runs. */
  | 'trim';

/** Kinds that the guest posts. */
export type PostKind =
  /** text: JSON array of handler names. */
  | 'loaded'
  /** text: why the default export can not be used. */
  | 'refused'
  /**
   * id: call; text: JSON `GuestReply`. A body that is text goes as it is, so that no guest makes bytes of it: then the
   * JSON lacks `body` and its last bracket, and behind it come a line break, which JSON has nowhere, and the text.
   */
  | 'reply'
  /** id: call; text: JSON `GuestFailure`. */
  | 'threw'
  /** id: call; everything handed to `waitUntil` has settled; always follows `reply` or `threw`. */
  | 'settled'
  /** id: sequence number; text: JSON `GuestHostCall`. */
  | 'host'
  /** id: 0; text: JSON `[level, line]`. */
  | 'log'
  /** id: timer; text: delay in ms as digits. */
  | 'timer'
  /** id: timer. */
  | 'cancelTimer'
  /** id: 0; text: messages that were kept, in the form of `take`. */
  | 'kept';

export interface GuestSetup {
  readonly bindings: readonly string[];
  /** Caps enforced in the guest before anything is posted, and again outside. */
  readonly responseBytes: number;
  readonly logLineChars: number;
}

export interface GuestCaller {
  /** Null for notifications: nobody asked. */
  readonly user: string | null;
  readonly org: string;
  /** Names (not URNs) of the plug-in's own rights that the caller holds. */
  readonly rights: readonly string[];
  /** Whether the caller belongs to the provider's System org. */
  readonly provider: boolean;
}

export interface GuestRequest {
  readonly handler: 'fetch' | 'response' | 'notification';
  readonly method: string;
  /** Of the answer that a `response` handler looks at; left out for the others. */
  readonly status?: number;
  /** Absolute, e.g. `https://vcloud.example.com/api/hello?name=x`. */
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  /** Base64, or null for none. */
  readonly body: string | null;
  /** Path parameters of the matched route. */
  readonly params: Readonly<Record<string, string>>;
  /** Stable id of the call, for logs and idempotency. */
  readonly requestId: string;
  readonly caller: GuestCaller;
  /** Milliseconds left at dispatch. */
  readonly remainingMs: number;
  /** Configuration of the plug-in for this org. */
  readonly config: unknown;
  /** For a `notification` handler, whose body is the event as JSON (`NotificationEvent` of the SDK). */
  readonly notification?: GuestNotification;
}

export interface GuestNotification {
  /** 1 for the first try. */
  readonly attempt: number;
  /** What waits for the plug-in's decision; null for all other events. */
  readonly blockingTask: GuestBlockingTask | null;
}

export interface GuestBlockingTask {
  /** Bare id. */
  readonly id: string;
  readonly operation: string;
  /** vCloud's own time-out, epoch ms; null when not known. */
  readonly timeoutAt: number | null;
  /** When the host decides as the manifest says, epoch ms. */
  readonly decideBy: number;
}

export interface GuestReply {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  /** Base64; empty string for none. */
  readonly body: string;
}

export interface GuestFailure {
  /** `threw`: the handler threw; `invalid`: not a Response or an unusable one; `tooLarge`: over responseBytes. */
  readonly reason: 'threw' | 'invalid' | 'tooLarge';
  readonly message: string;
  readonly stack: string;
}

export interface GuestHostCall {
  readonly binding: string;
  readonly method: string;
  readonly args: unknown;
}
