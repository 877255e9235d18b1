/**
 * URL, URLSearchParams and URLPattern. whatwg-url does the work; a plain URL is not sent through its parser before
 * somebody asks for more than its parts, since most calls make one and look at its path or query.
 * May import: install, platform/pass-on, platform/plain-url, primordials.
 */
/* oxlint-disable typescript/unbound-method -- only their lengths are set */
import { URLPattern } from 'urlpattern-polyfill/urlpattern';
import * as whatwg from 'whatwg-url';
import { publish } from '../install.ts';
import { construct } from '../primordials.ts';
import { passOn } from './pass-on.ts';
import { type PlainUrl, plainPairs, plainUrl } from './plain-url.ts';

/** First argument of the query of a URL. */
const LINKED = {};

let wholeUrl: (url: LazyUrl) => whatwg.URL;
let wholeParams: (params: LazyParams) => whatwg.URLSearchParams;

class LazyParams {
  /** Null once there is a whole one. */
  #pairs: readonly (readonly [string, string])[] | null = null;
  #text = '';
  #url: LazyUrl | null = null;
  #whole: whatwg.URLSearchParams | null = null;

  constructor(init: string | object = '', url: LazyUrl | null = null, query?: string) {
    if (init === LINKED) {
      this.#url = url;
      if (query !== undefined) this.#pairs = plainPairs(query);
      return;
    }
    if (typeof init === 'string') {
      this.#text = init[0] === '?' ? init.slice(1) : init;
      this.#pairs = plainPairs(this.#text);
    }
    if (this.#pairs === null) this.#whole = new whatwg.URLSearchParams(init);
  }
  static {
    wholeParams = (params) => {
      if (params.#whole !== null) return params.#whole;
      const linked = params.#url === null ? null : wholeUrl(params.#url).searchParams;
      params.#pairs = null;
      return (params.#whole = linked ?? new whatwg.URLSearchParams(params.#text));
    };
  }

  get(name: string): string | null {
    if (this.#pairs === null || typeof name !== 'string')
      return wholeParams(this).get(...(arguments as unknown as [string]));
    for (const pair of this.#pairs) if (pair[0] === name) return pair[1];
    return null;
  }
  getAll(name: string): string[] {
    if (this.#pairs === null || typeof name !== 'string')
      return wholeParams(this).getAll(...(arguments as unknown as [string]));
    const values: string[] = [];
    for (const pair of this.#pairs) if (pair[0] === name) values.push(pair[1]);
    return values;
  }
  forEach(visit: (value: string, key: string, parent: unknown) => void, self?: unknown): void {
    if (typeof visit !== 'function') throw new TypeError('The callback must be a function');
    wholeParams(this).forEach((value, key) => {
      Reflect.apply(visit, self, [value, key, this]);
    });
  }
}

class LazyUrl {
  readonly #text: string;
  /** Null once there is a whole one. */
  #plain: PlainUrl | null;
  #whole: whatwg.URL | null = null;
  #params: LazyParams | null = null;

  constructor(url: string | LazyUrl, base?: string | LazyUrl) {
    this.#plain = typeof url === 'string' && base === undefined ? plainUrl(url) : null;
    this.#text = this.#plain === null ? '' : (url as string);
    if (this.#plain === null) this.#whole = construct(whatwg.URL, arguments) as whatwg.URL;
  }
  static {
    wholeUrl = (url) => {
      if (url.#whole !== null) return url.#whole;
      const whole = (url.#whole = new whatwg.URL(url.#text));
      url.#plain = null;
      // It must see what is changed from now on.
      if (url.#params !== null) wholeParams(url.#params);
      return whole;
    };
  }
  static canParse(...args: [string, string?]): boolean {
    return whatwg.URL.canParse(...args);
  }
  static parse(...args: [string, string?]): LazyUrl | null {
    const parsed = whatwg.URL.parse(...args);
    return parsed === null ? null : new LazyUrl(parsed.href);
  }

  get href(): string {
    return this.#plain === null ? wholeUrl(this).href : this.#text;
  }
  get origin(): string {
    const plain = this.#plain;
    return plain === null ? wholeUrl(this).origin : `${plain.scheme}://${plain.host}`;
  }
  get pathname(): string {
    return this.#plain === null ? wholeUrl(this).pathname : this.#plain.path;
  }
  get search(): string {
    if (this.#plain === null) return wholeUrl(this).search;
    const { query } = this.#plain;
    return query === undefined || query === '' ? '' : `?${query}`;
  }
  get searchParams(): LazyParams {
    if (this.#params === null)
      this.#params = new LazyParams(
        LINKED,
        this,
        this.#plain === null ? undefined : (this.#plain.query ?? ''),
      );
    return this.#params;
  }
  toString(): string {
    return this.#plain === null ? wholeUrl(this).href : this.#text;
  }
}

passOn(LazyUrl.prototype, whatwg.URL.prototype, (self) => wholeUrl(self as LazyUrl));
passOn(LazyParams.prototype, whatwg.URLSearchParams.prototype, (self) =>
  wholeParams(self as LazyParams),
);
for (const name of ['canParse', 'parse'])
  Object.defineProperty(LazyUrl, name, { enumerable: true });
for (const each of [LazyUrl, LazyUrl.canParse, LazyUrl.parse, LazyParams.prototype.forEach])
  Object.defineProperty(each, 'length', { value: 1 });

export const URL = LazyUrl as unknown as typeof whatwg.URL;
export type URL = whatwg.URL;
export const URLSearchParams = LazyParams as unknown as typeof whatwg.URLSearchParams;

publish({ URL, URLSearchParams, URLPattern });
