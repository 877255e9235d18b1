/**
 * URL, URLSearchParams and URLPattern. whatwg-url does the work and comes into being when there is some: most calls
 * look at path and query of a plain URL, for which it is not needed.
 * May import: install, platform/late-url, platform/pass-on, platform/plain-url, primordials.
 */
/* oxlint-disable typescript/unbound-method -- only their lengths are set */
import { URLPattern } from 'urlpattern-polyfill/urlpattern';
import type * as Whatwg from 'whatwg-url';
import { publish } from '../install.ts';
import { construct } from '../primordials.ts';
import { load } from './late-url.ts';
import { passOn } from './pass-on.ts';
import { type PlainUrl, plainPairs, plainUrl } from './plain-url.ts';

const URL_PARTS = {
  methods: {},
  readable: ['origin'],
  writable: [
    'href',
    'protocol',
    'username',
    'password',
    'host',
    'hostname',
    'port',
    'pathname',
    'search',
    'hash',
  ],
} as const;
const PARAMS_PARTS = {
  methods: {
    append: 2,
    delete: 1,
    has: 1,
    set: 2,
    sort: 0,
    toString: 0,
    keys: 0,
    values: 0,
    entries: 0,
  },
  readable: ['size'],
  writable: [],
} as const;

/** First argument of the query of a URL. */
const LINKED = {};

let wholeUrl: (url: LazyUrl) => Whatwg.URL;
let wholeParams: (params: LazyParams) => Whatwg.URLSearchParams;

class LazyParams {
  /** Null once there is a whole one. */
  #pairs: readonly (readonly [string, string])[] | null = null;
  #text = '';
  #url: LazyUrl | null = null;
  #whole: Whatwg.URLSearchParams | null = null;

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
    if (this.#pairs === null) this.#whole = new (load().URLSearchParams)(init);
  }
  static {
    wholeParams = (params) => {
      if (params.#whole !== null) return params.#whole;
      const linked = params.#url === null ? null : wholeUrl(params.#url).searchParams;
      params.#pairs = null;
      return (params.#whole = linked ?? new (load().URLSearchParams)(params.#text));
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
  #whole: Whatwg.URL | null = null;
  #params: LazyParams | null = null;

  constructor(url: string | LazyUrl, base?: string | LazyUrl) {
    this.#plain = typeof url === 'string' && base === undefined ? plainUrl(url) : null;
    this.#text = this.#plain === null ? '' : (url as string);
    if (this.#plain === null) this.#whole = construct(load().URL, arguments) as Whatwg.URL;
  }
  static {
    wholeUrl = (url) => {
      if (url.#whole !== null) return url.#whole;
      const whole = (url.#whole = new (load().URL)(url.#text));
      url.#plain = null;
      // It must see what is changed from now on.
      if (url.#params !== null) wholeParams(url.#params);
      return whole;
    };
  }
  static canParse(...args: [string, string?]): boolean {
    return load().URL.canParse(...args);
  }
  static parse(...args: [string, string?]): LazyUrl | null {
    const parsed = load().URL.parse(...args);
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
  toJSON(): string {
    return this.toString();
  }
}

passOn(LazyUrl.prototype, URL_PARTS, (self) => wholeUrl(self as LazyUrl) as never);
passOn(LazyParams.prototype, PARAMS_PARTS, (self) => wholeParams(self as LazyParams) as never);
Object.defineProperty(LazyUrl.prototype, Symbol.toStringTag, { value: 'URL', configurable: true });
Object.defineProperties(LazyParams.prototype, {
  [Symbol.toStringTag]: { value: 'URLSearchParams', configurable: true },
  [Symbol.iterator]: {
    value: (LazyParams.prototype as unknown as Whatwg.URLSearchParams).entries,
    writable: true,
    configurable: true,
  },
});
for (const name of ['canParse', 'parse'])
  Object.defineProperty(LazyUrl, name, { enumerable: true });
for (const each of [LazyUrl, LazyUrl.canParse, LazyUrl.parse, LazyParams.prototype.forEach])
  Object.defineProperty(each, 'length', { value: 1 });

export const URL = LazyUrl as unknown as typeof Whatwg.URL;
export type URL = Whatwg.URL;
export const URLSearchParams = LazyParams as unknown as typeof Whatwg.URLSearchParams;

publish({ URL, URLSearchParams, URLPattern });
