/**
 * All query types by name.
 * May import: tables.
 */
import { EXTENSION_TABLES } from './extension-tables.ts';
import type { QueryTable } from './table.ts';
import { TENANT_TABLES } from './tenant-tables.ts';
import { WORK_TABLES } from './work-tables.ts';

export const QUERY_TABLES: Readonly<Record<string, QueryTable | undefined>> = Object.assign(
  Object.create(null) as Record<string, QueryTable>,
  EXTENSION_TABLES,
  TENANT_TABLES,
  WORK_TABLES,
);
