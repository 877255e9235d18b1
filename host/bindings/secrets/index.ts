/**
 * `env.secrets`: what an org gave a plug-in to keep to itself; read by name, and every read is told to the log.
 * May import: kernel, storage.
 */
import { z } from 'zod';

import { HostError, codeOf } from '../../kernel/errors.ts';
import { silentLog, type Log } from '../../kernel/log.ts';
import type { TenantStore } from '../../storage/tenants.ts';
import type { Binding } from '../binding.ts';

const getArgs = z.tuple([z.string().min(1).max(64)]);

/** Of the store only the reading is needed: a plug-in can neither set nor list secrets. */
export function createSecretsBinding(
  store: Pick<TenantStore, 'readSecret'>,
  { log = silentLog }: { readonly log?: Log } = {},
): Binding {
  return {
    name: 'secrets',
    async call({ plugin, org, user, callId }, method, args) {
      if (method !== 'get') throw new HostError('BINDING_ARGUMENT', 'secrets: unknown method');
      const read = getArgs.safeParse(args);
      if (!read.success)
        throw new HostError('BINDING_ARGUMENT', 'secrets: a name of 1 to 64 characters is needed');
      const [name] = read.data;
      const audit = (result: string) =>
        log.info('secret.read', { plugin, org, user, callId, name, result });
      try {
        const value = await store.readSecret({ plugin, org }, name);
        audit(value === null ? 'none' : 'given');
        return value;
      } catch (error) {
        audit(codeOf(error));
        throw error;
      }
    },
  };
}
