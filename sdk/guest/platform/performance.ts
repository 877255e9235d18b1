/**
 * `performance.now` in whole milliseconds: guests get no fine clock.
 * May import: install, primordials.
 */
import { publish } from '../install.ts';
import { now } from '../primordials.ts';

const timeOrigin = now();
const performance = { timeOrigin, now: (): number => now() - timeOrigin };

publish({ performance });
