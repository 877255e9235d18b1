/**
 * Who and what a vCloud has: orgs, people, vApps, rights, and the objects of extension services.
 * May import: element, kinds.
 */
import type { Element } from './documents/element.ts';
import type { KindName } from './extension/kinds.ts';

export interface Org {
  readonly id: string;
  readonly name: string;
}

/** Which rights of extension services a role gets when they are registered. */
export type Holds = 'all' | 'view' | 'none';

export interface Role {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly org: Org;
  /** Undefined for a role whose rights somebody has chosen. */
  readonly takes: Holds | undefined;
  /** Ids of rights. */
  readonly rights: Set<string>;
}

export interface User {
  readonly id: string;
  readonly name: string;
  readonly password: string;
  readonly org: Org;
  /** Id of the role. */
  readonly role: string;
  readonly isEnabled: boolean;
  readonly fullName?: string;
  readonly email?: string;
  readonly description?: string;
  /** Signs in by refresh token only, and is in no list of users. */
  readonly isServiceAccount?: true;
}

export interface VApp {
  readonly id: string;
  readonly name: string;
  readonly org: Org;
  /** Id of the user. */
  readonly owner: string;
  readonly created: Date;
  /** Id of the virtual datacenter it is in. */
  readonly vdc: string;
  /** 0 while it is made, 8 powered off, -1 when making it failed. */
  readonly status: 0 | 8 | -1;
  readonly description?: string;
}

/** A virtual datacenter; each org has one. */
export interface Vdc {
  readonly id: string;
  readonly name: string;
  readonly org: Org;
}

export interface Right {
  readonly id: string;
  /** With the prefix `{namespace}:` when a service brought it. */
  readonly name: string;
  readonly category: string;
  readonly description?: string;
  readonly bundleKey?: string;
  /** Uuid of the service that brought it; undefined for built-in rights. */
  readonly service?: string;
}

/** One object below the admin tree: its own elements as they were posted, without the containers. */
export interface Entity {
  readonly id: string;
  readonly kind: KindName;
  readonly parent?: string;
  readonly name?: string;
  readonly description?: string;
  readonly operationKey?: string;
  readonly content: readonly Element[];
}

export interface Session {
  readonly token: string;
  readonly user: User;
  /** Epoch ms. */
  readonly openedAt: number;
}
