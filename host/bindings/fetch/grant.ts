/**
 * What a plug-in may fetch, as its manifest asks and the operator approves.
 * May import: nothing.
 */
import { z } from 'zod';

/** CONNECT and TRACE are never sent. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

const origin = z
  .string()
  .max(300)
  .refine(
    isOrigin,
    'an origin such as "https://api.example.com": no path, no user, no default port, no wildcard',
  );

/** The manifest's key `fetch`; it goes with the binding `fetch`. */
export const fetchGrantSchema = z.strictObject({
  /** Everything else is refused, redirects included. */
  origins: z.array(origin).min(1).max(50),
  methods: z
    .array(z.enum(METHODS))
    .min(1)
    .default([...METHODS]),
});

export type FetchGrant = z.infer<typeof fetchGrantSchema>;

/** Only what the URL parser writes itself, so that comparing text is comparing origins. */
function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.origin !== text) return false;
  // The parser takes more as a name than DNS does, `*` among it.
  if (!/^(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:]+\])$/.test(url.hostname)) return false;
  return url.protocol === 'https:' || url.protocol === 'http:';
}
