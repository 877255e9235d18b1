/**
 * The state that undici keeps behind a Response, for the usual one: status 200, text, at most a content type.
 * undici's `response.js` is patched to use it (see `build/patches.ts`). Properties that do not vary are on the prototype.
 * May import: platform/source-body.
 */
import { HeadersList } from 'undici/lib/web/fetch/headers.js';
import { SourceBody } from './source-body.ts';

const UNVARYING = {
  aborted: false,
  rangeRequested: false,
  timingAllowPassed: false,
  requestIncludesCredentials: false,
  type: 'default',
  status: 200,
  timingInfo: null,
  cacheState: '',
  statusText: '',
  urlList: Object.freeze([]),
} as const;

export class PlainState {
  readonly body: SourceBody;
  readonly #type: string;
  #headers: HeadersList | null = null;

  constructor(text: string, type: string) {
    this.body = new SourceBody(text);
    this.#type = type;
  }
  /** The content type when `state` is a plain one whose headers nobody has asked for, else null. */
  static typeOf(state: object): string | null {
    return #type in state && state.#headers === null ? state.#type : null;
  }
  get headersList(): HeadersList {
    if (this.#headers === null) {
      this.#headers = new HeadersList();
      this.#headers.append('content-type', this.#type, true);
    }
    return this.#headers;
  }
  /** As a plain object, for code that copies every property. */
  get plain(): object {
    return { ...UNVARYING, headersList: this.headersList };
  }
}
Object.assign(PlainState.prototype, UNVARYING);
