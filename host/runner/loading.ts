/**
 * Fills an isolate: the plug-in's script, and the answer of the prelude that the plug-in can be used.
 * May import: runner.
 */
import type { Blank, Owner } from './blank.ts';
import { runScript, type CachedScript, type Enter } from './boot.ts';
import type { RunnerPlan } from './frames.ts';
import { readMessages, type OnMessage } from './messages.ts';

export interface Loaded {
  readonly enter: Enter;
  /** Code caches that V8 refused: bit 0 the prelude's, bit 1 the plug-in's. */
  readonly rejected: number;
  /** JSON array of handler names. */
  readonly handlers: string;
}

export interface Loading {
  /** Rejects with what the scripts threw, or with the prelude's reason. */
  run(): Promise<Loaded>;
  /** The isolate is ending: nothing more will come from it. */
  stop(): void;
}

interface Scripts {
  readonly plan: RunnerPlan;
  readonly main: CachedScript;
}

const MAX_HANDLERS_CHARS = 200;
const MAX_REASON_CHARS = 1_000;

interface Listener extends Pick<Owner, 'onCatastrophe'> {
  /** The prelude is in the isolate; nothing of the plug-in is. */
  readonly onOwned: () => void;
  /** Gets what the guest posts once it is loaded. */
  readonly onMessage: OnMessage;
}

export function createLoading(
  blank: Blank,
  { plan, main }: Scripts,
  { onOwned, onMessage, onCatastrophe }: Listener,
): Loading {
  const handlers = Promise.withResolvers<string>();
  // Whoever does not get so far as to wait for it learns what went wrong from the scripts.
  handlers.promise.catch(() => undefined);
  let isLoaded = false;

  function onLoadMessage(kind: string, text: string): void {
    if (kind === 'refused') handlers.reject(new Error(text.slice(0, MAX_REASON_CHARS)));
    else if (kind === 'loaded' && text.length <= MAX_HANDLERS_CHARS) handlers.resolve(text);
    else return;
    isLoaded = true;
  }

  /** Guest values: anything may come. */
  function post(kind: unknown, id: unknown, text: unknown): void {
    if (typeof kind !== 'string' || typeof id !== 'number' || typeof text !== 'string') return;
    if (!isLoaded) onLoadMessage(kind, text);
    else if (kind === 'kept') readMessages(text, onMessage);
    else onMessage(kind, id, text);
  }

  return {
    async run() {
      const { context, enter, ...prelude } = await blank.own({ post, onCatastrophe });
      onOwned();
      let rejected = prelude.rejected ? 1 : 0;
      if (await runScript(blank.isolate, context, main, plan.loadWallMs)) rejected |= 2;
      // A promise that the plug-in rejected and nobody handles is no reason to refuse it.
      // oxlint-disable-next-line no-useless-call -- a Reference is no function: apply is its only way in
      await enter.apply(undefined, ['load', 0, plan.setup, false]).catch(() => undefined);
      return { enter, rejected, handlers: await handlers.promise };
    },
    stop: () => handlers.reject(new Error('disposed')),
  };
}
