/**
 * Checks what guests pass to host services.
 * May import: kernel.
 */
import { z } from 'zod';

import { HostError } from '../kernel/errors.ts';

/** The arguments by their schema; throws `BINDING_ARGUMENT` that names the binding and the place, not the value. */
export function checkArguments<T>(binding: string, schema: z.ZodType<T>, args: unknown): T {
  const result = schema.safeParse(Array.isArray(args) ? padded(args, schema) : args);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.slice(0, 3).join('.') ?? '';
  throw new HostError(
    'BINDING_ARGUMENT',
    `${binding}: argument ${where.slice(0, 80)} is missing, too large or of the wrong type`,
  );
}

/** JSON drops trailing undefined arguments; a tuple wants them. */
function padded(args: unknown[], schema: z.ZodType): unknown[] {
  const wanted = schema instanceof z.ZodTuple ? schema.def.items.length : args.length;
  return args.length < wanted ? [...args, ...Array(wanted - args.length).fill(undefined)] : args;
}
