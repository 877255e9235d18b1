/**
 * The table from the XSDs: which elements and attributes a type has, in which order, how many, in which namespace.
 * May import: extension, rules, vcloud.
 */
import { EXTENSION_TYPES } from './extension.ts';
import type { TypeRule } from './rules.ts';
import { VCLOUD_TYPES } from './vcloud.ts';

/** Complex types by the name the XSDs give them, without `Type`; `Tenant` stands before those of both namespaces. */
export const TYPES: Readonly<Record<string, TypeRule>> = { ...VCLOUD_TYPES, ...EXTENSION_TYPES };
