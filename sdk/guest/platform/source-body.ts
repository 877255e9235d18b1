/**
 * A body whose bytes or text are known: no stream is made until somebody asks for one.
 * undici's `body.js` is patched to use it (see `build/patches.ts`).
 * May import: platform/encoding, platform/streams.
 */
import { utf8 } from './encoding.ts';
import { ReadableStream } from './streams.ts';

type Stream = InstanceType<typeof ReadableStream>;

function streamOf(source: string | Uint8Array): Stream {
  return new ReadableStream({
    type: 'bytes',
    pull(controller) {
      const bytes = typeof source === 'string' ? utf8(source) : new Uint8Array(source);
      if (bytes.length > 0) controller.enqueue(bytes);
      controller.close();
      controller.byobRequest?.respond(0);
    },
  });
}

export class SourceBody {
  /** Text or bytes; bytes are never changed in place. */
  readonly source: string | Uint8Array;
  readonly length = null;
  #stream: Stream | null = null;
  #taken = false;

  constructor(source: string | Uint8Array) {
    this.source = source;
  }

  get stream(): Stream {
    if (this.#stream === null) {
      this.#stream = streamOf(this.#taken ? '' : this.source);
      // Whoever consumed the body left a locked, disturbed stream behind, as the standard has it.
      if (this.#taken) void this.#stream.getReader().read(); // closed: it can not fail
    }
    return this.#stream;
  }
  set stream(stream: Stream) {
    this.#stream = stream;
  }

  /** Whether the body is untouched, so that its source may stand for it. */
  get whole(): boolean {
    return this.#stream === null && !this.#taken;
  }
  get disturbed(): boolean {
    return this.#stream === null ? this.#taken : isDisturbed(this.#stream);
  }
  get unusable(): boolean {
    return this.#stream === null ? this.#taken : this.#stream.locked || isDisturbed(this.#stream);
  }
  /** Consume the source; only for a body that is `whole`. */
  take(): string | Uint8Array {
    this.#taken = true;
    return this.source;
  }
}

/** Private names of web-streams-polyfill; the bundler asserts that they exist. */
export function isDisturbed(stream: unknown): boolean {
  return (stream as { _disturbed?: boolean })._disturbed === true;
}

export function isErrored(stream: unknown): boolean {
  return (stream as { _state?: string })._state === 'errored';
}
