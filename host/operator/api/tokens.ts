/**
 * `/tokens`: the operator gives tokens to owners and takes them away.
 * May import: kernel and everything below operator.
 */
import { Hono } from 'hono';
import { z } from 'zod';

import { HostError } from '../../kernel/errors.ts';
import type { Clock } from '../../kernel/time.ts';
import type { TokenStore } from '../../storage/tokens.ts';
import { makeOwnerToken, operatorOnly, tokenDigest, type ApiEnv } from '../identify.ts';
import { bodyOf, ownerSchema } from './input.ts';

const createSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'letters, digits, dots and dashes, at most 64'),
  /** As the trust store has it: the plug-ins of this owner are the token's. */
  owner: ownerSchema,
});

/** The token is in the answer to its making and nowhere else: only its digest is kept. */
export function tokenRoutes(tokens: TokenStore, clock: Clock): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.use(operatorOnly());
  app.get('/', async (c) => {
    const known = await tokens.list();
    return c.json({
      tokens: known.map(({ name, owner, createdAt }) => ({ name, owner, createdAt })),
    });
  });
  app.post('/', async (c) => {
    const { name, owner } = await bodyOf(c, createSchema);
    const token = makeOwnerToken();
    const record = { digest: tokenDigest(token), name, owner, createdAt: clock.now() };
    if (!(await tokens.add(record, c.var.caller.who)))
      throw new HostError('TOKEN_NAME_TAKEN', `there is a token named ${name}`);
    return c.json({ name, owner, createdAt: record.createdAt, token }, 201);
  });
  app.delete('/:name', async (c) => {
    if (!(await tokens.remove(c.req.param('name'), c.var.caller.who)))
      throw new HostError('OPERATOR_NOT_FOUND', 'there is no token of this name');
    return c.body(null, 204);
  });
  return app;
}
