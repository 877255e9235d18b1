/**
 * Isolates with the prelude in them and nothing of a plug-in: made before they are wanted, since that is most of the time
 * that it takes to open one. Such an isolate has served nobody, and the first that takes it keeps it to its end.
 * May import: runner.
 */
import type ivm from 'isolated-vm';
import {
  createGuestContext,
  createIsolate,
  runScript,
  takeEnter,
  type CachedScript,
  type Enter,
  type Post,
} from './boot.ts';
import type { Trimmable, Trimmer } from './trimmer.ts';

/** What an isolate has after the prelude. */
export interface Prepared {
  readonly context: ivm.Context;
  readonly enter: Enter;
  /** V8 refused the prelude's code cache. */
  readonly rejected: boolean;
}

/** Who takes an isolate. */
export interface Owner {
  /** What the guest posts. */
  readonly post: Post;
  /** V8 gave up inside the isolate. */
  readonly onCatastrophe: (text: string) => void;
}

/** The prelude is ours and takes a few ms: this is a backstop. */
const PRELUDE_MS = 5_000;
/** After an isolate was opened, before another one is made: those that come together should not wait for it, ms. */
const PAUSE_MS = 5;

export class Blank implements Trimmable {
  readonly isolate: ivm.Isolate;
  readonly memoryMb: number;
  /** Rejects when the prelude can not be run; whoever opens the isolate learns of it. */
  readonly prepared: Promise<Prepared>;
  idleSince = 0;
  #failed = false;
  #trimmed: Promise<unknown> = Promise.resolve();
  #enter: Enter | null = null;
  #owner: Owner | null = null;

  /** `onCatastrophe` is for the time without an owner. */
  constructor(memoryMb: number, prelude: CachedScript, onCatastrophe: Owner['onCatastrophe']) {
    this.memoryMb = memoryMb;
    this.isolate = createIsolate(memoryMb, (text) => {
      (this.#owner?.onCatastrophe ?? onCatastrophe)(text);
    });
    this.prepared = this.#prepare(prelude);
    this.prepared.catch(() => {
      this.#failed = true;
    });
  }

  get usable(): boolean {
    return !this.#failed && !this.isolate.isDisposed;
  }

  /** From here on it is somebody's; resolves when nothing of ours goes on in it. */
  async own(owner: Owner): Promise<Prepared> {
    this.#owner = owner;
    this.idleSince = 0;
    await this.#trimmed;
    return this.prepared;
  }

  /** Let V8 collect what the prelude left behind. Never rejects. */
  async trim(): Promise<void> {
    if (this.#owner || !this.#enter) return;
    this.idleSince = 0;
    // oxlint-disable-next-line no-useless-call -- a Reference is no function: apply is its only way in
    this.#trimmed = this.#enter.apply(undefined, ['trim', 0, '', false]).catch(() => undefined);
    await this.#trimmed;
  }

  dispose(): void {
    if (!this.isolate.isDisposed) this.isolate.dispose();
  }

  async #prepare(prelude: CachedScript): Promise<Prepared> {
    const { isolate } = this;
    const context = await createGuestContext(isolate, (...said) => this.#owner?.post(...said));
    const rejected = await runScript(isolate, context, prelude, PRELUDE_MS);
    const enter = await takeEnter(context);
    this.#enter = enter;
    if (!this.#owner) this.idleSince = performance.now();
    return { context, enter, rejected };
  }
}

export interface Blanks {
  /** See that one stands ready. */
  prepare(memoryMb: number): void;
  /** One of that size, which may still be on its way. */
  take(memoryMb: number): Blank;
  /** One has been opened: soon the next one is made. */
  opened(memoryMb: number): void;
}

/** At most one stands ready. */
export function createBlanks(
  prelude: CachedScript,
  trimmer: Trimmer,
  onCatastrophe: Owner['onCatastrophe'],
): Blanks {
  let ready: Blank | null = null;
  let timer: NodeJS.Timeout | null = null;

  const create = (memoryMb: number): Blank => new Blank(memoryMb, prelude, onCatastrophe);

  function drop(): void {
    if (ready) trimmer.drop(ready);
    ready?.dispose();
    ready = null;
  }

  function prepare(memoryMb: number): void {
    timer = null;
    if (ready?.memoryMb === memoryMb && ready.usable) return;
    drop();
    const blank = (ready = create(memoryMb));
    blank.prepared.then(() => ready === blank && trimmer.add(blank)).catch(() => undefined);
  }

  return {
    prepare,
    take(memoryMb) {
      if (timer) clearTimeout(timer);
      const found = ready;
      if (!found || found.memoryMb !== memoryMb || !found.usable) return create(memoryMb);
      ready = null;
      trimmer.drop(found);
      return found;
    },
    opened(memoryMb) {
      if (timer) clearTimeout(timer);
      timer = setTimeout(prepare, PAUSE_MS, memoryMb);
    },
  };
}
