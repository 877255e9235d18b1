/** What callers send, checked: nothing else of a body is kept. */
import { HTTPException } from 'hono/http-exception';

import type { NoteFields } from './store.ts';

export interface Config {
  readonly maxNotes: number;
  readonly maxTextChars: number;
}

const DEFAULTS: Config = { maxNotes: 100, maxTextChars: 2_000 };
const MAX_TITLE_CHARS = 200;
const MAX_PAGE = 50;

/** The host has checked it by the schema of plugin.json; in a test nobody has set anything. */
export function configOf(given: unknown): Config {
  return { ...DEFAULTS, ...(given as Partial<Config> | null) };
}

export async function readFields(request: Request, { maxTextChars }: Config): Promise<NoteFields> {
  const body = (await request.json().catch(() => null)) as Record<string, unknown> | null;
  if (typeof body !== 'object' || body === null) throw badRequest('the body is not a JSON object');
  const { title, text = '' } = body;
  if (typeof title !== 'string' || title === '' || title.length > MAX_TITLE_CHARS)
    throw badRequest(`title: 1 to ${MAX_TITLE_CHARS} characters`);
  if (typeof text !== 'string' || text.length > maxTextChars)
    throw badRequest(`text: ${maxTextChars} characters at most`);
  return { title, text };
}

export function readLimit(given: string | undefined): number {
  const limit = Number(given ?? MAX_PAGE);
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_PAGE) return limit;
  throw badRequest(`limit: a whole number from 1 to ${MAX_PAGE}`);
}

/** The version that an ETag names, or null for any. */
export function readIfMatch(given: string | undefined): number | null {
  if (given === undefined || given === '*') return null;
  const [, version] = /^"(\d{1,15})"$/.exec(given) ?? [];
  if (version === undefined) throw badRequest('If-Match: the ETag of the note');
  return Number(version);
}

function badRequest(message: string): HTTPException {
  return new HTTPException(400, { message });
}
