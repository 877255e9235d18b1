/**
 * The incoming call as a Request, built cheaply: URL, headers, signal and body come into being when asked for.
 * undici's Request reads its state object only; `build/patches.ts` lists where it is met half way.
 * May import: abi, context, platform, primordials.
 */
import type { GuestRequest } from './abi.ts';
import type { Context } from './context.ts';
import type { AbortSignal } from './platform/abort.ts';
import { fromInnerRequest, HeadersList, makeRequest } from './platform/fetch.ts';
import { SourceBody } from './platform/source-body.ts';
import { URL } from './platform/url.ts';
import { fromBase64 } from './primordials.ts';

/** Paths and queries that the URL parser would give back unchanged; dot segments, encoded ones too, it would not. */
const PLAIN = /^(?:\/(?!\.|%2[eE])[\w\-.~!$&()*+,;=:@%]*)+(?:\?[\w\-.~!$&()*+,;=:@/%?]*)?$/;

let knownOrigin = '';

/** The URL as the parser would write it; most need no parsing. */
function canonical(url: string): string {
  const known = knownOrigin.length;
  if (known > 0 && url.startsWith(knownOrigin)) {
    if (PLAIN.test(url.slice(known))) return url;
  }
  const parsed = new URL(url);
  knownOrigin = parsed.origin;
  return parsed.href;
}

export function headersFrom(pairs: GuestRequest['headers']): HeadersList {
  const list = new HeadersList();
  for (const [name, value] of pairs) list.append(name, value, false);
  return list;
}

/** The state that undici keeps behind a Request. Properties that do not vary are on the prototype. */
class IncomingState {
  readonly #source: GuestRequest;
  readonly #context: Context;
  #url: URL | null = null;
  #headers: HeadersList | null = null;
  #urlText = '';
  readonly method: string;
  readonly body: SourceBody | null;

  constructor(source: GuestRequest, context: Context) {
    this.#source = source;
    this.#context = context;
    this.method = source.method;
    this.body =
      source.body === null || source.method === 'GET' || source.method === 'HEAD'
        ? null
        : new SourceBody(fromBase64(source.body));
  }
  get urlText(): string {
    if (this.#urlText === '') this.#urlText = canonical(this.#source.url);
    return this.#urlText;
  }
  get url(): URL {
    return (this.#url ??= new URL(this.urlText));
  }
  get urlList(): URL[] {
    return [this.url];
  }
  get headersList(): HeadersList {
    return (this.#headers ??= headersFrom(this.#source.headers));
  }
  makeSignal(): AbortSignal {
    return this.#context.signal;
  }
  /** As a plain object, for code that copies every property. */
  get plain(): object {
    const { method, urlList, headersList, body } = this;
    return makeRequest({ method, urlList, headersList, body });
  }
}

const { method, url, urlList, headersList, body, ...unvarying } = makeRequest({
  urlList: [null],
}) as Record<string, unknown>;
void [method, url, urlList, headersList, body]; // only the others are shared
Object.assign(IncomingState.prototype, unvarying, { mode: 'cors' });

export function createRequest(source: GuestRequest, context: Context): unknown {
  return fromInnerRequest(new IncomingState(source, context));
}
