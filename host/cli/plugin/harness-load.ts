/**
 * Loads the plug-in of a test as the host would, with the built-in ceilings of the limits.
 * May import: everything.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { readFolder } from '../../bundles/source/folder.ts';
import { preparePlugin, type LivePlugin } from '../../bundles/live/plugin.ts';
import { HostError } from '../../kernel/errors.ts';
import { createLimitsBook } from '../../quotas/limits-book.ts';

/** Throws BUNDLE_INVALID with the reason. Any binding may be named: the test stands in for it. */
export async function loadForHarness(folder: string): Promise<LivePlugin> {
  const limits = createLimitsBook({ ceilings: {}, plugins: {}, orgs: {} });
  const bindings = await namedBindings(folder);
  const workshop = { bindings, limits, isolation: 'plugin' as const, sandbox: null };
  return preparePlugin(await readFolder(folder), workshop);
}

async function namedBindings(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, 'plugin.json'), 'utf8').catch((error: unknown) => {
    throw new HostError('BUNDLE_INVALID', `${folder} holds no plugin.json that can be read`, {
      cause: error,
    });
  });
  try {
    const { bindings } = JSON.parse(text) as { bindings?: unknown };
    return Array.isArray(bindings) ? bindings.map(String) : [];
  } catch {
    // `readFolder` says what is wrong with it.
    return [];
  }
}
