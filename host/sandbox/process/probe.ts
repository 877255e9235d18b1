/**
 * Finds out whether a bundle loads, in an isolate that is thrown away.
 * May import: kernel.
 */
import { HostError } from '../../kernel/errors.ts';
import type { Engine } from '../engine.ts';
import { submitProbe } from '../calls/lanes.ts';
import type { GuestBundle, HandlerName } from '../sandbox.ts';

const HANDLERS: readonly HandlerName[] = ['fetch', 'response', 'notification'];
const PROBE_MS = 15_000;

/** The handlers of the bundle; throws `BUNDLE_INVALID` with the reason, or the code of what kept us from trying. */
export async function probe(engine: Engine, bundle: GuestBundle): Promise<readonly HandlerName[]> {
  const outcome = await submitProbe(engine, bundle, engine.now() + PROBE_MS);
  if (outcome.kind === 'failed') {
    const ours = outcome.code === 'RUNNER_UNAVAILABLE' || outcome.code === 'DRAINING';
    throw new HostError(ours ? outcome.code : 'BUNDLE_INVALID', outcome.message);
  }
  const names = namesOf(outcome.reply);
  return HANDLERS.filter((name) => names.includes(name));
}

/** What the runner says is what the guest says: it may be anything. */
function namesOf(text: string): readonly unknown[] {
  try {
    const names: unknown = JSON.parse(text);
    if (Array.isArray(names)) return names;
  } catch {
    // Refused below.
  }
  throw new HostError('BUNDLE_INVALID', 'the plug-in does not tell its handlers');
}
