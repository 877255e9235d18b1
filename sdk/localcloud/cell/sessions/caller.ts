/**
 * Who asks, and which org's objects that one may see: the rule that keeps tenants apart.
 * May import: fault, sessions, model, store; hono.
 */
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';

import { VcloudFault } from '../documents/fault.ts';
import { type SessionRules, useSession } from './sessions.ts';
import type { Org, Session, User } from '../model.ts';
import { ADMINISTRATOR_VIEW, type Store, isAdministrator, orgById, rightsOf } from '../store.ts';

export interface Caller {
  readonly session: Session;
  readonly user: User;
  /** A system administrator, whatever the tenant context. */
  readonly isProvider: boolean;
  /** May look at users and roles of the own org, and change them. */
  readonly administers: boolean;
  /** The only org whose objects are there for this request; undefined: all orgs. */
  readonly scope: Org | undefined;
}

/** What every route finds in its context. */
export interface CellEnv {
  readonly Bindings: HttpBindings;
  readonly Variables: { caller: Caller };
}

/** The session of a request, by either kind of token in either header. */
export function sessionOf(store: Store, rules: SessionRules, c: Context): Session | undefined {
  const bearer = /^Bearer\s+(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
  const token = bearer ?? c.req.header('x-vcloud-authorization');
  return token === undefined ? undefined : useSession(store, rules, token);
}

const forbidden = (what: string) => new VcloudFault(403, what);

/** The org that the tenant context names, by id or URN; by name in the older header. */
function tenantContext(store: Store, c: Context): Org | undefined {
  const id = c.req.header('x-vmware-vcloud-tenant-context')?.trim();
  const name = c.req.header('x-vmware-vcloud-auth-context')?.trim();
  if (id) {
    const org = orgById(store, id.replace(/^urn:vcloud:org:/i, ''));
    if (!org) throw new VcloudFault(400, `The tenant context '${id}' is not an organization`);
    return org;
  }
  if (!name) return undefined;
  const org = store.orgs.find((item) => item.name.toLowerCase() === name.toLowerCase());
  if (!org && name.toLowerCase() !== 'system')
    throw new VcloudFault(400, `The context '${name}' is not an organization`);
  return org;
}

/** Who asks. A tenant context narrows a system administrator to one org; tenants may only name their own. */
export function callerOf(store: Store, session: Session, c: Context): Caller {
  const { user } = session;
  const isProvider = isAdministrator(user);
  const named = tenantContext(store, c);
  if (!isProvider && named && named.id !== user.org.id)
    throw forbidden('The tenant context is not your organization');
  // The provider's own org as context is no restriction.
  const narrowed = named && !isAdministrator({ ...user, org: named }) ? named : undefined;
  const held = rightsOf(store, user).some((right) => right.name === ADMINISTRATOR_VIEW);
  return {
    session,
    user,
    isProvider,
    administers: isProvider || held,
    scope: isProvider ? narrowed : user.org,
  };
}

export const sees = ({ scope }: Caller, org: Org): boolean => !scope || scope.id === org.id;

/** 403 unless objects of this org are there for the caller. */
export function requireOrg(caller: Caller, org: Org): void {
  if (!sees(caller, org)) throw forbidden('Access to the resource is forbidden');
}

/** 403 unless a system administrator asks. */
export function requireProvider(caller: Caller): void {
  if (!caller.isProvider) throw forbidden('Only a system administrator may do this');
}

/** 403 unless an administrator of this org, or the system's, asks. */
export function requireAdministrator(caller: Caller, org: Org): void {
  requireOrg(caller, org);
  if (!caller.administers) throw forbidden('Only an administrator may do this');
}
