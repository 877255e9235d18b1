/** Types of packages that bring none, as far as the prelude uses them. */

declare module 'whatwg-url' {
  export const URL: typeof globalThis.URL;
  export type URL = globalThis.URL;
  export const URLSearchParams: typeof globalThis.URLSearchParams;
  export type URLSearchParams = globalThis.URLSearchParams;
}

declare module 'event-target-shim' {
  export const Event: typeof globalThis.Event;
  export type Event = globalThis.Event;
  export const EventTarget: typeof globalThis.EventTarget;
  export type EventTarget = globalThis.EventTarget;
  export function setErrorHandler(handler: (error: unknown) => void): void;
  export function setWarningHandler(handler: () => void): void;
}

declare module 'urlpattern-polyfill/urlpattern' {
  export const URLPattern: typeof globalThis.URLPattern;
}

declare module '@ungap/structured-clone' {
  export function serialize(value: unknown): unknown;
  export function deserialize(records: unknown): unknown;
}

declare module 'undici/lib/web/fetch/response.js' {
  export const Response: typeof globalThis.Response;
  export type Response = globalThis.Response;
  export function getResponseState(response: unknown): unknown;
}

declare module 'undici/lib/web/fetch/request.js' {
  export const Request: typeof globalThis.Request;
  export function makeRequest(init: object): object;
  /** Without a guard, headers are made from the state when first asked for (patched). */
  export function fromInnerRequest(state: object): Request;
}

declare module 'undici/lib/web/fetch/formdata.js' {
  export const FormData: typeof globalThis.FormData;
}

declare module 'undici/lib/web/fetch/headers.js' {
  export const Headers: typeof globalThis.Headers;
  export class HeadersList {
    append(name: string, value: string, isLowerCase: boolean): void;
  }
}

declare module 'undici/lib/web/webidl/index.js' {
  export const webidl: { readonly is: { Response(value: unknown): boolean } };
}
