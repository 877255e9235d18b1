/**
 * The script that runs first in every isolate. The order of the imports is the order of evaluation:
 * captured built-ins and doors first, then the platform, then the dispatcher.
 * May import: everything in this folder.
 */
import './primordials.ts';
import './host.ts';
import './platform/errors.ts';
import './platform/encoding.ts';
import './platform/events.ts';
import './platform/streams.ts';
import './platform/console.ts';
import './platform/timers.ts';
import './platform/url.ts';
import './platform/blob.ts';
import './platform/abort.ts';
import './platform/clone.ts';
import './platform/crypto.ts';
import './platform/performance.ts';
import './platform/fetch.ts';
import { enter } from './dispatcher.ts';
import { harden } from './harden.ts';
import { defineProperty } from './primordials.ts';

harden();
defineProperty(globalThis, '__vcx_enter', { value: enter, configurable: true });
