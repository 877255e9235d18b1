/**
 * One line in the logbook for each call that reached a plug-in: how it ended and what it cost.
 * May import: kernel, message, sandbox, bundles.
 */
import type { Logbook } from '../bundles/live/logbook.ts';
import { mapPlaces } from '../bundles/source/source-map.ts';
import { CODES, type Code } from '../kernel/errors.ts';
import type { ReplyMessage } from '../message/encode.ts';
import type { Outcome } from '../sandbox/sandbox.ts';
import type { Work } from './dispatch.ts';
import type { HeapWatch } from './heap.ts';
import type { Refusal } from './refusal.ts';

export interface NotedCall extends Pick<Work, 'plugin' | 'call'> {
  readonly heap: HeapWatch;
}

/** Written when nothing of the call is left, or a moment after its answer. */
export function noteCall(
  { logbook }: { readonly logbook: Pick<Logbook, 'write'> },
  { plugin, call, heap }: NotedCall,
  outcome: Outcome,
  reply: ReplyMessage | Refusal,
): void {
  const refusal = 'code' in reply ? reply : null;
  const { plugin: name, version } = plugin.guest;
  const status = refusal ? CODES[refusal.code].status : (reply as ReplyMessage).status;
  const { usage } = outcome;
  heap.whenKnown(isSettled(outcome), (memoryKb) =>
    logbook.write({
      plugin: name,
      version,
      org: call.identity.org,
      callId: call.id,
      kind: 'call',
      level: refusal ? 'error' : 'info',
      text: refusal
        ? mapPlaces(`${refusal.code}: ${refusal.message}`, plugin.sourceMap)
        : droppedText(reply as ReplyMessage),
      call: {
        method: call.method,
        path: call.path,
        status,
        code: refusal?.code ?? null,
        cpuMs: usage?.cpuMs ?? 0,
        wallMs: Math.round((usage?.wallMs ?? 0) * 1_000) / 1_000,
        hostCalls: usage?.hostCalls ?? 0,
        memoryKb,
        cold: usage?.cold ?? false,
      },
    }),
  );
}

/** An author who sets a cookie wonders where it went. */
export function droppedText({ dropped }: Pick<ReplyMessage, 'dropped'>): string {
  return dropped === undefined ? '' : `a reply may not set ${dropped.join(', ')}: left out`;
}

/** Whether the sandbox tells when nothing of the call is left; it does not when the isolate was ended. */
function isSettled(outcome: Outcome): boolean {
  return outcome.kind === 'replied' || THREW.has(outcome.code);
}

/** With the code that `dispatchCall` puts in place of the other. */
const THREW: ReadonlySet<Code> = new Set(['PLUGIN_THREW', 'CLUSTER_UNAVAILABLE']);
