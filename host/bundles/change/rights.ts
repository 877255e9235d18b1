/**
 * Who may do what with a plug-in: its owner and the operator, and some of it the operator alone.
 * May import: kernel.
 */
import { HostError } from '../../kernel/errors.ts';
import type { Actor } from './admin.ts';
import type { Catalogue } from '../live/catalogue.ts';

/** Owners learn of plug-ins of others as little as of those that are not there. */
export function mustOwn({ plugin, owner }: { plugin: string; owner: string }, actor: Actor): void {
  if (actor.owner !== null && actor.owner !== owner) throw unknown(plugin);
}

export function operatorOnly(actor: Actor, what: string): void {
  if (actor.owner !== null)
    throw new HostError('BUNDLE_OWNER_FOREIGN', `${what}: only the operator may do this`);
}

/** What the operator has disabled stays so until they enable it. Throws BUNDLE_OWNER_FOREIGN. */
export function mustNotBeLocked(
  { plugin, locked = false }: { plugin: string; locked?: boolean },
  actor: Actor,
): void {
  if (locked && actor.owner !== null)
    throw new HostError(
      'BUNDLE_OWNER_FOREIGN',
      `${plugin}: the operator disabled it, and only they enable or remove it`,
    );
}

/** For what was not found among the installed ones. */
export function unknownPlugin(name: string, catalogue: Catalogue, actor: Actor): HostError {
  const folder = catalogue.shelf(name)?.current?.source === 'folder';
  if (!folder || actor.owner !== null) return unknown(name);
  return new HostError(
    'BUNDLE_NAME_TAKEN',
    `${name} is source in a folder of the configuration: change it there`,
  );
}

export function unknown(name: string): HostError {
  return new HostError(
    'PLUGIN_UNKNOWN',
    `there is no plug-in ${name}; \`vcx plugin list\` shows them`,
  );
}
