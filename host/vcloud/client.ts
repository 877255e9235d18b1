/**
 * The vCloud client: typed requests over one shared session. Connects when first used.
 * May import: kernel, message, vcloud.
 */
import type { Doc, DocumentName } from '../message/xml/documents.ts';
import { decodeXml, encodeXml, mediaTypeOf } from '../message/xml/documents.ts';
import type { RequestOptions, VcloudAnswer, VcloudMethod, VcloudStatus } from './client/calls.ts';
import { openCalls } from './client/calls.ts';
import type { VcloudOptions } from './options.ts';
import { resolveOptions } from './options.ts';

export interface VcloudClient extends AsyncDisposable {
  /** Origin of the configured address, no slash at the end; for hrefs inside documents. */
  readonly origin: string;
  /**
   * One request. `path` may be an href of a document: only its path and query are used, so the session
   * never leaves the configured address. Throws `VcloudError` (`VCLOUD_REFUSED`, `VCLOUD_UNAVAILABLE`),
   * `XML_INVALID` for an answer that is too large. A 401 renews the session once.
   */
  request(method: VcloudMethod, path: string, options?: RequestOptions): Promise<VcloudAnswer>;
  /** GET a document. */
  getXml<N extends DocumentName>(name: N, path: string, options?: RequestOptions): Promise<Doc<N>>;
  /** POST or PUT a document; the answer is for the caller to decode (`decodeXml`). */
  sendXml<N extends DocumentName>(
    method: 'POST' | 'PUT',
    path: string,
    document: { readonly name: N; readonly value: Doc<N> },
    options?: RequestOptions,
  ): Promise<VcloudAnswer>;
  /** Sign in unless that is done, and return the API version. */
  connect(signal?: AbortSignal): Promise<string>;
  status(): VcloudStatus;
}

/** Returns at once; throws `CONFIG_INVALID` for options that can not work. Disposing signs out. */
export function openVcloud(given: VcloudOptions): VcloudClient {
  const options = resolveOptions(given);
  const calls = openCalls(options);
  return {
    origin: options.url.origin,
    request: (method, path, wanted) => calls.request(method, path, wanted),
    async getXml(name, path, wanted) {
      const { body } = await calls.request('GET', path, wanted);
      return decodeXml(name, body, { bytes: options.maxAnswerBytes });
    },
    sendXml: (method, path, { name, value }, wanted) =>
      calls.request(method, path, {
        ...wanted,
        body: encodeXml(name, value),
        type: mediaTypeOf(name),
      }),
    connect: (signal) => calls.connect(signal),
    status: () => calls.status(),
    [Symbol.asyncDispose]: () => calls[Symbol.asyncDispose](),
  };
}
