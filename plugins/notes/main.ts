/** Notes of an org, as a small REST resource: how a plug-in looks that is written with Hono. */
import { Hono, type Context as HonoContext } from 'hono';
import { HTTPException } from 'hono/http-exception';

import { type Context, type Env, isBindingError } from '#sdk';

import { configOf, readFields, readIfMatch, readLimit } from './input.ts';
import { createStore, type Note, type NoteFields, type StoredNote } from './store.ts';

type AppContext = HonoContext<{ Bindings: Env }>;

const app = new Hono<{ Bindings: Env }>().basePath('/api/notes');

app.get('/', async (c) => {
  const page = await createStore(c.env.kv).page(
    readLimit(c.req.query('limit')),
    c.req.query('cursor'),
  );
  return c.json(page);
});

app.post('/', async (c) => {
  const config = configOf(c.env.config);
  const store = createStore(c.env.kv);
  const note = noteOf(c, crypto.randomUUID(), await readFields(c.req.raw, config));
  if (await store.isFull(config.maxNotes))
    throw new HTTPException(409, { message: `there are ${config.maxNotes} notes already` });
  const version = await store.put(note, 0);
  if (version === null) throw new HTTPException(409, { message: 'there is such a note already' });
  c.header('Location', `/api/notes/${note.id}`);
  return present(c, { note, version }, 201);
});

app.get('/:id', async (c) => present(c, await found(c)));

/** With `If-Match` only over the version that the caller has seen; without, over any. */
app.put('/:id', async (c) => {
  const { note, version } = await found(c);
  const wanted = readIfMatch(c.req.header('If-Match')) ?? version;
  const fields = await readFields(c.req.raw, configOf(c.env.config));
  const changed = noteOf(c, note.id, fields);
  const written = await createStore(c.env.kv).put(changed, wanted);
  if (written === null) throw new HTTPException(412, { message: 'somebody else changed the note' });
  return present(c, { note: changed, version: written });
});

app.delete('/:id', async (c) => {
  if (!(await createStore(c.env.kv).remove(c.req.param('id')))) throw missing();
  return c.body(null, 204);
});

app.notFound((c) => c.json({ error: 'there is nothing here' }, 404));

app.onError((error, c) => {
  if (error instanceof HTTPException) return c.json({ error: error.message }, error.status);
  // The store is full or away: the caller may try again, and the operator's log has the reason.
  if (isBindingError(error)) {
    console.error('store failed', error);
    return c.json({ error: error.code }, 503);
  }
  throw error;
});

async function found(c: AppContext): Promise<StoredNote> {
  const stored = await createStore(c.env.kv).get(c.req.param('id') ?? '');
  if (!stored) throw missing();
  return stored;
}

function missing(): HTTPException {
  return new HTTPException(404, { message: 'there is no such note' });
}

/** Hono knows our `ctx` by the name of other runtimes. */
function noteOf(c: AppContext, id: string, fields: NoteFields): Note {
  const { caller } = c.executionCtx as unknown as Context;
  return { id, ...fields, author: caller.user, changedAt: new Date().toISOString() };
}

function present(c: AppContext, { note, version }: StoredNote, status: 200 | 201 = 200): Response {
  c.header('ETag', `"${version}"`);
  return c.json(note, status);
}

export default app;
