/**
 * Stage: may this caller do this? Default deny; identity comes from the security context only.
 * May import: kernel, message, bundles.
 */
import type { Call } from '../message/call.ts';
import { refuse, type Refusal } from './refusal.ts';
import type { Routed } from './route.ts';

/** Names of a plug-in's rights to the URNs of this installation. */
export interface RightsDirectory {
  /** Null until vCloud has been asked. The name is the one in the manifest, without the namespace. */
  rightsOf(plugin: string): ReadonlyMap<string, string> | null;
}

export interface Authorized {
  /** Names of the plug-in's rights that the caller holds. */
  readonly held: readonly string[];
}

/** The rights list: the route names rights, the caller's list must hold all of them. */
export function authorizeCall(
  directory: RightsDirectory,
  call: Call,
  { plugin, route }: Routed,
): Authorized | Refusal {
  const known = directory.rightsOf(plugin.manifest.name);
  if (!known) {
    if (route.rights.length > 0)
      return refuse('RIGHTS_UNRESOLVED', 'rights are not resolved yet', { retryAfterS: 5 });
    return { held: [] };
  }
  for (const name of route.rights) {
    const urn = known.get(name);
    if (urn === undefined)
      return refuse('RIGHTS_UNRESOLVED', `vCloud does not know the right ${name}`);
    if (!call.identity.rights.has(urn))
      return refuse('RIGHT_MISSING', `the right "${name}" is needed`);
  }
  const held: string[] = [];
  for (const [name, urn] of known) if (call.identity.rights.has(urn)) held.push(name);
  return { held };
}
