/**
 * Which headers reach a guest, and which of its headers reach the client.
 * May import: nothing.
 */

type HeaderList = readonly (readonly [string, string])[];

/**
 * Never shown to a guest: live credentials, forged identity and method overrides. All `x-vcloud-*`
 * and `x-vmware-vcloud-*` headers but the client's request id are vCloud's own business.
 */
const FROM_CLIENT = new Set([
  'authorization',
  'cookie',
  'cookie2',
  'proxy-authorization',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-csrf-token',
  'x-api-key',
]);

/** Framing, hop by hop, and what every reply gets from us: the cell decides, and nothing is lost without them. */
const FRAMING = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'host',
  'content-security-policy',
  'x-content-type-options',
  'x-frame-options',
];

/** Not taken over from replies: vCloud's own origin serves them, so a guest may not set these. */
const FROM_GUEST = new Set([
  ...FRAMING,
  // credentials and cookies
  'set-cookie',
  'set-cookie2',
  'authorization',
  'www-authenticate',
  'proxy-authenticate',
  'proxy-authorization',
  'authentication-info',
  'clear-site-data',
  // policies of the origin
  'strict-transport-security',
  'public-key-pins',
  'service-worker-allowed',
  'content-security-policy-report-only',
  'report-to',
  'reporting-endpoints',
  'nel',
  'refresh',
  'speculation-rules',
  'set-login',
  'origin-agent-cluster',
  'permissions-policy',
  'permissions-policy-report-only',
  'feature-policy',
  'document-policy',
  'document-policy-report-only',
  'integrity-policy',
  'integrity-policy-report-only',
  'expect-ct',
  'public-key-pins-report-only',
  // what a browser remembers for the whole origin
  'accept-ch',
  'critical-ch',
  'use-as-dictionary',
  'referrer-policy',
  'sourcemap',
  'alt-svc',
]);
const UNTOLD = new Set(FRAMING);

/** Types that a browser would run, by their essence (type/subtype). */
const ACTIVE_CONTENT =
  /^(?:text\/html|application\/xhtml\+xml|image\/svg\+xml|multipart\/.*|(?:text|application)\/(?:x-)?(?:java|ecma|live|j)script[\d.]*)$/;

/** Whatever the type, a browser that opens a reply runs nothing in vCloud's origin. */
const REPLY_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'";

/** The request headers that a guest may see. */
export function guestRequestHeaders(headers: HeaderList): HeaderList {
  return headers.filter(([name]) => mayReachGuest(name.toLowerCase()));
}

/** Headers of vCloud's own response that a response filter neither sees nor changes. */
export function isHiddenFromFilter(name: string): boolean {
  const lower = name.toLowerCase();
  return !mayReachGuest(lower) || FROM_GUEST.has(lower) || isPolicyHeader(lower);
}

function mayReachGuest(lower: string): boolean {
  if (lower === 'x-vmware-vcloud-client-request-id') return true;
  return (
    !FROM_CLIENT.has(lower) &&
    !lower.startsWith('x-vcloud-') &&
    !lower.startsWith('x-vmware-vcloud-')
  );
}

export type ReplyHeaders =
  | {
      readonly ok: true;
      readonly headers: Record<string, string>;
      /** In lower case, those of forbidden ones that the author would miss. */
      readonly dropped: readonly string[];
    }
  | { readonly ok: false; readonly why: string };

/**
 * The reply headers that leave the host: forbidden ones dropped, repeated ones joined, `nosniff` and
 * a policy that runs nothing added. CR, LF and NUL and types that a browser runs make the reply invalid.
 */
export function replyHeaders(headers: HeaderList): ReplyHeaders {
  const kept: Record<string, string> = {};
  const dropped: string[] = [];
  const spelling = new Map<string, string>();
  for (const [name, value] of headers) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/.test(name))
      return { ok: false, why: 'a header name is not valid' };
    if (value.length > 8_192) return { ok: false, why: `the header ${name} is longer than 8192` };
    if (/[\r\n\0]/.test(value))
      return { ok: false, why: `the header ${name} holds a CR, LF or NUL` };
    const lower = name.toLowerCase();
    if (FROM_GUEST.has(lower) || isPolicyHeader(lower)) {
      if (!UNTOLD.has(lower) && !dropped.includes(lower)) dropped.push(lower);
      continue;
    }
    if (lower === 'content-type' && (spelling.has(lower) || !isContentType(value)))
      return { ok: false, why: 'the content type is not one media type' };
    if (lower === 'content-type' && ACTIVE_CONTENT.test(essenceOf(value)))
      return { ok: false, why: activeText(essenceOf(value)) };
    const known = spelling.get(lower);
    if (known === undefined) {
      spelling.set(lower, name);
      kept[name] = value;
    } else kept[known] = `${kept[known]}, ${value}`;
  }
  kept['X-Content-Type-Options'] = 'nosniff';
  kept['Content-Security-Policy'] = REPLY_POLICY;
  return { ok: true, headers: kept, dropped };
}

function activeText(type: string): string {
  return `a browser would run ${type} in vCloud's own origin: answer JSON, XML or text/plain`;
}

/** One type with parameters: a list would let the browser choose another one than we looked at. */
function isContentType(value: string): boolean {
  return /^\s*[!#$%&'*+.^_`|~\w-]+\/[!#$%&'*+.^_`|~\w-]+\s*(?:;[^,]*)?$/.test(value);
}

function essenceOf(value: string): string {
  return (value.split(';')[0] ?? '').trim().toLowerCase();
}

function isPolicyHeader(lower: string): boolean {
  return (
    lower.startsWith('access-control-') ||
    lower.startsWith('cross-origin-') ||
    lower.startsWith('x-vcloud-') ||
    lower.startsWith('x-vmware-vcloud-') ||
    lower.startsWith('proxy-') ||
    // Sessions that are bound to the origin, and reports about who visits it.
    lower.startsWith('sec-') ||
    lower.startsWith('attribution-reporting-')
  );
}
