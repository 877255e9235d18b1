/**
 * EventTarget, Event and CustomEvent.
 * May import: install.
 */
import { Event, EventTarget, setErrorHandler, setWarningHandler } from 'event-target-shim';
import { publish } from '../install.ts';

class CustomEvent extends Event {
  readonly detail: unknown;
  constructor(type: string, init: EventInit & { detail?: unknown } = {}) {
    super(type, init);
    this.detail = init.detail ?? null;
  }
}

/** Where errors of listeners go; the console module sets it, since it loads later. */
let report: (error: unknown) => void = () => {};

export function setListenerErrors(handler: (error: unknown) => void): void {
  report = handler;
}

setErrorHandler((error) => report(error));
setWarningHandler(() => {});

export { Event, EventTarget };

publish({ Event, EventTarget, CustomEvent });
