/**
 * A notification of vCloud as the rest of the host sees it, whatever form it came in.
 * May import: kernel.
 */
import type { Code } from '../../kernel/errors.ts';

/** One object that an event is about. */
export interface EntityRef {
  /** Such as `urn:vcloud:vm:UUID`; services may use URNs of their own. */
  readonly id: string;
  /** As in the URN: `vm`, `vapp`, `blockingTask`, … Compare without regard to case. */
  readonly type: string;
  /** Only the XML form has names, and not for all. At most 256 characters. */
  readonly name: string | null;
}

export interface CloudEvent {
  /** The same for every copy of an event, in both forms: what duplicates are known by. */
  readonly eventId: string;
  /** With slashes: `com/vmware/vcloud/event/vm/create`. Unknown types are as good as known ones. */
  readonly type: string;
  /** Epoch milliseconds, by the cell's clock. */
  readonly timestamp: number;
  readonly operationSuccess: boolean;
  /** The org that owns the affected object; its type is always `org`. */
  readonly org: EntityRef;
  /** Null for what the system did by itself. */
  readonly user: EntityRef | null;
  readonly entity: EntityRef;
  /** Set for tasks and blocking tasks. */
  readonly task: EntityRef | null;
  readonly taskOwner: EntityRef | null;
  /** Operation of a task or blocking task, such as `vdcInstantiateVapp`: from the routing key, else the name of the entity. */
  readonly taskName: string | null;
  /** Address to which the URN of an entity is appended to get it; null in the JSON form. */
  readonly resolver: string | null;
  readonly form: EventForm;
  /** Fields and elements of the body that are not known here, as they came. */
  readonly extra: Readonly<Record<string, unknown>>;
}

export type EventForm = 'xml' | 'json';

/** What routing key and headers say; bare ids, null where nothing is said. */
export interface Told {
  readonly type: string | null;
  readonly operationSuccess: boolean | null;
  readonly entity: string | null;
  readonly entityType: string | null;
  readonly org: string | null;
  readonly user: string | null;
  readonly task: string | null;
}

/** One thing that key or headers say otherwise than what was taken: the body's word, or where it has none the headers'. */
export interface Disagreement {
  readonly in: 'key' | 'headers';
  readonly field: keyof Told;
  readonly says: string;
  readonly taken: string;
}

export type DecodedEvent =
  | {
      readonly ok: true;
      readonly event: CloudEvent;
      readonly disagreements: readonly Disagreement[];
      /** Documented headers that the message lacks although its body has the value; `routing key` for one of another form. */
      readonly missing: readonly string[];
    }
  | { readonly ok: false; readonly code: EventFault; readonly why: string };

/** Codes with which an event is refused before a plug-in sees it. */
export type EventFault = Extract<Code, 'EVENT_INVALID' | 'EVENT_TOO_LARGE'>;
