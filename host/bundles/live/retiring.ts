/**
 * Versions that are not live any more, until their last call has ended and their isolates are freed.
 * May import: kernel, sandbox.
 */
import { messageOf } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Sandbox } from '../../sandbox/sandbox.ts';
import type { LivePlugin } from './plugin.ts';

export interface Retiring {
  retire(plugin: LivePlugin): void;
  /** Resolves once no call is under way in a retired version of this plug-in, or of any. */
  drained(plugin: string | null): Promise<void>;
}

export function createRetiring(sandbox: Pick<Sandbox, 'retire'> | null, log: Log): Retiring {
  const underWay = new Map<Promise<void>, string>();
  return {
    retire({ manifest: { name, version } }) {
      const work = (sandbox?.retire(name, version) ?? Promise.resolve())
        .catch((error: unknown) => {
          log.error('plugin.retire', { plugin: name, version, reason: messageOf(error) });
        })
        .finally(() => underWay.delete(work));
      underWay.set(work, name);
    },
    async drained(plugin) {
      const wanted = [...underWay].filter(([, name]) => plugin === null || name === plugin);
      await Promise.all(wanted.map(([work]) => work));
    },
  };
}
