/**
 * Stage: a call that must not run twice is written to the journal before its handler runs.
 * May import: kernel, message, storage.
 */
import { messageOf } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import { pause } from '../../kernel/time.ts';
import type { ReplyMessage } from '../../message/encode.ts';
import type { Begun, Journal } from '../../storage/journal.ts';
import type { CallIdentity } from './recall.ts';
import { refuse, type Refusal } from '../refusal.ts';

export interface OnceRooms {
  readonly journal: Journal;
  readonly log: Log;
}

export type Once =
  | { readonly kind: 'run' }
  /** A process before us has answered it. */
  | { readonly kind: 'answered'; readonly reply: Omit<ReplyMessage, 'id'> }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

const LOOK_AGAIN_MS = 50;

/**
 * May it run? While another living host works on it, wait for that host's answer until the deadline;
 * when its host died, nobody can know whether the handler ran, and it is not run again.
 */
export async function beginOnce(
  { journal, log }: OnceRooms,
  identity: CallIdentity,
  deadline: number,
): Promise<Once> {
  try {
    let begun: Begun | null = await journal.begin(identity);
    while (begun?.kind === 'begun' && begun.alive && performance.now() < deadline - LOOK_AGAIN_MS) {
      await pause(LOOK_AGAIN_MS);
      begun = await journal.look(identity);
    }
    return decide(begun);
  } catch (error) {
    log.error('journal.failed', { code: 'JOURNAL_UNAVAILABLE', error: messageOf(error) });
    return no(refuse('JOURNAL_UNAVAILABLE', 'the journal can not be written'));
  }
}

function decide(begun: Begun | null): Once {
  switch (begun?.kind) {
    case 'new':
      return { kind: 'run' };
    case 'answered':
      return { kind: 'answered', reply: JSON.parse(begun.reply) as Omit<ReplyMessage, 'id'> };
    case 'conflict':
      return no(refuse('DUPLICATE_ID', 'this id was used for another request'));
    case 'begun':
    case undefined:
      return no(
        refuse('OUTCOME_UNKNOWN', 'it may have run before a host died; ask for its result'),
      );
  }
}

function no(refusal: Refusal): Once {
  return { kind: 'refused', refusal };
}

/** Keep the answer. A failure costs only that a redelivery is answered OUTCOME_UNKNOWN. */
export async function finishOnce(
  { journal, log }: OnceRooms,
  { key }: CallIdentity,
  { status, headers, body }: ReplyMessage,
): Promise<void> {
  try {
    await journal.finish(key, JSON.stringify({ status, headers, body }));
  } catch (error) {
    log.error('journal.failed', { code: 'JOURNAL_UNAVAILABLE', error: messageOf(error) });
  }
}
