/**
 * One step of a registration, as data: printed by `plan`, carried out by `apply`.
 * May import: vcloud.
 */
import type { LocalizationSpec, RightSpec, ServiceSpec } from '../service-spec.ts';
import type { DesiredChild } from './desired.ts';
import type { ChildKind } from './kinds.ts';
import type { Finding } from './checks.ts';

export interface FieldChange {
  readonly field: string;
  readonly from: string | number | boolean | null;
  readonly to: string | number | boolean | null;
}

/** Where a child goes: into something that exists, or into what an earlier change of the plan adds. */
export type Parent = { readonly href: string } | { readonly change: string };

export type Change =
  /** Always disabled at first; switched on last. */
  | { readonly action: 'create'; readonly kind: 'Service'; readonly label: string }
  /** One PUT. */
  | {
      readonly action: 'update';
      readonly kind: 'Service';
      readonly label: string;
      readonly href: string | null;
      readonly fields: readonly FieldChange[];
    }
  | {
      readonly action: 'remove';
      readonly kind: 'Service';
      readonly label: string;
      readonly href: string;
    }
  | {
      readonly action: 'add';
      readonly kind: 'Right';
      readonly label: string;
      readonly right: RightSpec;
    }
  | {
      readonly action: 'add';
      readonly kind: ChildKind;
      /** Names this change for the children that follow it. */
      readonly id: string;
      readonly label: string;
      readonly parent: Parent;
      /** Not part of the JSON form. */
      readonly desired: DesiredChild;
      /** Names from the class down to this child. */
      readonly path: readonly string[];
    }
  | {
      readonly action: 'remove';
      readonly kind: ChildKind | 'Right';
      readonly label: string;
      readonly href: string;
    }
  | {
      readonly action: 'upload';
      readonly kind: 'Localization';
      readonly label: string;
      readonly digest: string;
      readonly localization: LocalizationSpec;
    };

export interface Plan {
  readonly spec: ServiceSpec;
  /** Address of the service when it is registered already. */
  readonly href: string | null;
  /** In the order in which they are carried out; empty when vCloud is as the manifest says. */
  readonly changes: readonly Change[];
  /** Warnings only; errors keep a plan from being made. */
  readonly findings: readonly Finding[];
  /** Addresses of service resources that exist, by `class/name`, for the rules that refer to them. */
  readonly resources: Readonly<Record<string, string>>;
  /** Addresses of rights that exist, by their name in the manifest. */
  readonly rights: Readonly<Record<string, string>>;
}

/** One line for people: `+ ApiFilter /api/backup/.*`. */
export function describeChange(change: Change): string {
  const sign = { create: '+', add: '+', update: '~', remove: '-', upload: '^' }[change.action];
  const path = 'path' in change && change.path.length > 1 ? change.path.join(' / ') : change.label;
  const head = `${sign} ${change.kind} ${path}`;
  if (change.action !== 'update') return head;
  const fields = change.fields.map(
    ({ field, from, to }) => `    ${field}: ${JSON.stringify(from)} -> ${JSON.stringify(to)}`,
  );
  return [head, ...fields].join('\n');
}

/** What `plan --json` prints for a change. */
export function changeToJson(change: Change): Record<string, unknown> {
  const json: Record<string, unknown> = { ...change };
  delete json['desired'];
  delete json['localization'];
  return json;
}
