/** What every implementation of the store of handled events promises. */
import { expect, test } from 'vitest';

import type { HandledEvents } from '../../../host/storage/handled-events.ts';

/** `open` gives stores that share what they keep. */
export function handledEventsCases(
  name: string,
  open: () => Promise<() => Promise<HandledEvents>>,
): void {
  const at = Date.now();

  test(`${name}: what one process has handled, another one knows`, async () => {
    const another = await open();
    const [one, two] = [await another(), await another()];
    const key = 'listener\nurn:example:"event"';
    expect(await two.has({ key, at })).toBe(false);
    await one.add([
      { key, at },
      { key: 'listener\nb', at: at + 1 },
    ]);
    expect(await two.has({ key, at })).toBe(true);
    expect(await two.has({ key: 'listener\nb', at: at + 1 })).toBe(true);
    expect(await two.has({ key: 'other\nb', at: at + 1 })).toBe(false);
    // What is there already is no mistake, and neither is nothing.
    await two.add([{ key, at }]);
    await two.add([]);
  });
}
