/**
 * Stage: may this caller do this? Default deny; identity comes from the security context only.
 * May import: kernel, message, bundles.
 */
import type { Call } from '../../message/call.ts';
import { refuse, type Refusal } from '../refusal.ts';
import type { Routed } from '../route.ts';

/** Names of a plug-in's rights to the URNs of this installation. */
export interface RightsDirectory {
  /** Null until vCloud has been asked. The name is the one in the manifest, without the namespace. */
  rightsOf(plugin: string): ReadonlyMap<string, string> | null;
}

/** vCloud's own word on a call, where the manifest asks for it. */
export interface AuthorizationAuthority {
  /** Null when the call may go on. Fails closed: what can't be asked is refused. */
  ask(call: Call, routed: Routed, deadline: number): Promise<Refusal | null>;
}

export interface AuthorizeRooms {
  readonly rights: RightsDirectory;
  /** Always there: without a vCloud to ask it refuses what would have to be asked, so nothing is let through by leaving it out. */
  readonly authority: AuthorizationAuthority;
}

export interface Authorized {
  /** Names of the plug-in's rights that the caller holds. */
  readonly held: readonly string[];
}

/** First the rights list, which costs nothing; then the authority. System administrators follow the same path. */
export async function authorizeCall(
  { rights, authority }: AuthorizeRooms,
  call: Call,
  routed: Routed,
  deadline: number,
): Promise<Authorized | Refusal> {
  const listed = checkRights(rights, call, routed);
  if ('code' in listed) return listed;
  return (await authority.ask(call, routed, deadline)) ?? listed;
}

/** The route names rights, the caller's list must hold all of them. */
function checkRights(
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
