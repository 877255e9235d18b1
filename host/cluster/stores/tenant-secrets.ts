/**
 * Secrets of tenants on NATS, each sealed to its plug-in, org and name.
 * May import: kernel, storage, cluster.
 */
import { HostError } from '../../kernel/errors.ts';
import type { Clock } from '../../kernel/time.ts';
import type { Seal } from '../../storage/seal.ts';
import { checkSecret, digestOf, secretPlace } from '../../storage/tenant-values.ts';
import type { SecretInfo, TenantCaps, TenantScope, TenantStore } from '../../storage/tenants.ts';
import {
  decodeKept,
  isSecret,
  secretKey,
  type Kept,
  type KeptSecret,
  type TenantRooms,
} from './tenant-keys.ts';

export interface NatsSecretsParts {
  readonly rooms: TenantRooms;
  readonly seal: Seal;
  readonly clock: Clock;
  readonly caps: Required<TenantCaps>;
}

type Secrets = Pick<TenantStore, 'setSecret' | 'deleteSecret' | 'secrets' | 'readSecret'>;

export function createNatsSecrets({ rooms, seal, clock, caps }: NatsSecretsParts): Secrets {
  const { bucket, mirror, change } = rooms;
  const digest = (kept: Kept | null) => digestOf(kept && isSecret(kept) ? kept.sealed : null);

  function secrets({ plugin, org }: TenantScope): SecretInfo[] {
    const found: SecretInfo[] = [];
    for (const key of mirror.keys()) {
      const kept = mirror.get(key);
      if (kept && isSecret(kept) && kept.plugin === plugin && kept.org === org)
        found.push({ name: kept.name, changedAt: kept.changedAt });
    }
    return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  return {
    secrets,
    async setSecret(scope, { name, value }, who) {
      const { plugin, org } = scope;
      checkSecret(name, value, caps.secretBytes);
      const sealed = Buffer.from(seal.seal(value, secretPlace(scope, name))).toString('base64');
      const next: KeptSecret = { plugin, org, name, changedAt: clock.now(), sealed };
      await change(secretKey(scope, name), (known) => {
        if (!known && secrets(scope).length >= caps.secrets)
          throw new HostError('TENANT_INVALID', `more than ${caps.secrets} secrets`);
        // Of the sealed bytes, which are new each time: a digest of the value would let short ones be guessed.
        const digests = { before: digest(known), after: digest(next) };
        return { next, entry: { who, action: 'secret', plugin, org, subject: name, ...digests } };
      });
    },
    async deleteSecret(scope, name, who) {
      const { plugin, org } = scope;
      return change(secretKey(scope, name), (known) => {
        const entry = { who, action: 'secret', plugin, org, subject: name, before: digest(known) };
        return { next: null, entry: known ? entry : null };
      });
    },
    async readSecret(scope, name) {
      const entry = await bucket.get(secretKey(scope, name));
      const kept = entry?.value ? decodeKept(entry.value) : null;
      if (!kept || !isSecret(kept)) return null;
      const value = seal.open(Buffer.from(kept.sealed, 'base64'), secretPlace(scope, name));
      if (value !== null) return value;
      throw new HostError('SECRET_UNREADABLE', `the secret ${name} can not be decrypted`);
    },
  };
}
