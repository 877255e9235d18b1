/**
 * What is changed in kept packages when they are bundled. Every text must occur exactly once: an upgrade that
 * moves it fails the build instead of changing behaviour.
 * May import: nothing.
 */

export interface Patch {
  readonly find: string;
  readonly put: string;
}

/** A body of known text or bytes becomes a `SourceBody`, which makes no stream until asked. */
const BODY: readonly Patch[] = [
  {
    find: `function extractBody (object, keepalive = false) {\n`,
    put: `const { SourceBody } = require('vcx:source-body')
function extractBody (object, keepalive = false) {
  if (typeof object === 'string') return [new SourceBody(object), 'text/plain;charset=UTF-8']
  if (isUint8Array(object)) return [new SourceBody(new Uint8Array(object)), null]
`,
  },
  {
    find: `  // 1. Let « out1, out2 » be the result of teeing body’s stream.\n`,
    put: `  if (body instanceof SourceBody && body.whole) return new SourceBody(body.source)\n`,
  },
  {
    find: `  // 6. Otherwise, fully read object’s body given successSteps,\n`,
    put: `  if (object.body instanceof SourceBody && object.body.whole) {
    const source = object.body.take()
    if (typeof source !== 'string') successSteps(Buffer.view(source))
    else if (convertBytesToJSValue === utf8DecodeBytes) successSteps(source, dropBom)
    else if (convertBytesToJSValue === parseJSONFromBytes) successSteps(source, parseJSONText)
    else successSteps(Buffer.from(source))
    return promise.promise
  }
`,
  },
  {
    find: `  const successSteps = (data) => {
    try {
      promise.resolve(convertBytesToJSValue(data))`,
    put: `  const successSteps = (data, convert = convertBytesToJSValue) => {
    try {
      promise.resolve(convert(data))`,
  },
  {
    find: `function noop () {}\n`,
    put: `function noop () {}
const dropBom = (text) => text.charCodeAt(0) === 0xFEFF ? text.slice(1) : text
const parseJSONText = (text) => JSON.parse(dropBom(text))
`,
  },
  {
    find: `return body != null && (body.stream.locked || util.isDisturbed(body.stream))`,
    put: `return body != null && (body instanceof SourceBody ? body.unusable : body.stream.locked || util.isDisturbed(body.stream))`,
  },
];

/** A Response of known text without settings needs a `PlainState` only; its headers are made when first asked for. */
const RESPONSE: readonly Patch[] = [
  {
    find: `const textEncoder = new TextEncoder('utf-8')\n`,
    put: `const { PlainState } = require('vcx:plain-state')\n`,
  },
  {
    find: `    init = webidl.converters.ResponseInit(init)

    // 1. Let bytes the result of running`,
    put: `    if (init === undefined) {
      const plain = new Response(kConstruct)
      plain.#state = new PlainState(serializeJavascriptValueToJSONString(data), 'application/json')
      return plain
    }
    init = webidl.converters.ResponseInit(init)

    // 1. Let bytes the result of running`,
  },
  {
    find: `textEncoder.encode(
      serializeJavascriptValueToJSONString(data)
    )`,
    put: `serializeJavascriptValueToJSONString(data)`,
  },
  {
    find: `    webidl.util.markAsUncloneable(this)

    if (body === kConstruct) {
      return
    }
`,
    put: `    if (body === kConstruct) return
    if (init === undefined && typeof body === 'string') {
      this.#state = new PlainState(body.isWellFormed() ? body : body.toWellFormed(), 'text/plain;charset=UTF-8')
      return
    }
`,
  },
  {
    find: `    // The headers getter steps are to return this’s headers.
    return this.#headers
`,
    put: `    return (this.#headers ??= plainHeaders(this.#state))
`,
  },
  {
    find: `return fromInnerResponse(clonedResponse, getHeadersGuard(this.#headers))`,
    put: `return fromInnerResponse(clonedResponse, getHeadersGuard(this.#headers ??= plainHeaders(this.#state)))`,
  },
  {
    find: `      return response.#state
`,
    put: `      return response != null && typeof response === 'object' && #state in response ? response.#state : undefined
`,
  },
  {
    find: `function cloneResponse (response) {\n`,
    put: `function plainHeaders (state) {
  const headers = new Headers(kConstruct)
  setHeadersGuard(headers, 'response')
  setHeadersList(headers, state.headersList)
  return headers
}
function cloneResponse (response) {\n`,
  },
  {
    find: `makeResponse({ ...response, body: null })`,
    put: `makeResponse({ ...(response.plain ?? response), body: null })`,
  },
  {
    find: `util.isDisturbed(this.#state.body.stream)`,
    put: `util.isBodyDisturbed(this.#state.body)`,
  },
];

/** Headers and signal of an incoming Request are made when first asked for (`request.ts`). */
const REQUEST: readonly Patch[] = [
  {
    find: `util.isDisturbed(this.#state.body.stream)`,
    put: `util.isBodyDisturbed(this.#state.body)`,
  },
  {
    find: `return URLSerializer(this.#state.url)\n`,
    put: `return this.#state.urlText ?? URLSerializer(this.#state.url)\n`,
  },
  {
    find: `    // The headers getter steps are to return this’s headers.\n    return this.#headers\n`,
    put: `    if (this.#headers === undefined) {
      this.#headers = new Headers(kConstruct)
      setHeadersList(this.#headers, this.#state.headersList)
      setHeadersGuard(this.#headers, 'request')
    }
    return this.#headers\n`,
  },
  {
    find: `    // The signal getter steps are to return this’s signal.\n    return this.#signal\n`,
    put: `    return this.#signal ??= this.#state.makeSignal?.() ?? new AbortController().signal\n`,
  },
  {
    find: `    this.#signal = createDependentSignal(signal)\n`,
    put: `    if (signal != null) this.#signal = createDependentSignal(signal)\n`,
  },
  { find: `signal = input.#signal\n`, put: `signal = input.signal\n` },
  {
    find: `const signal = createDependentSignal(this.#signal)\n`,
    put: `const signal = createDependentSignal(this.signal)\n`,
  },
  { find: `getHeadersGuard(this.#headers))\n`, put: `getHeadersGuard(this.headers))\n` },
  {
    find: `makeRequest({ ...request, body: null })`,
    put: `makeRequest({ ...(request.plain ?? request), body: null })`,
  },
  {
    find: `    webidl.util.markAsUncloneable(this)

    if (input === kConstruct) {
      return
    }
`,
    put: `    if (input === kConstruct) {
      if (init !== undefined) this.#state = init
      return
    }
`,
  },
  {
    find: `function fromInnerRequest (innerRequest, dispatcher, signal, guard) {
  const request = new Request(kConstruct)
`,
    put: `function fromInnerRequest (innerRequest, dispatcher, signal, guard) {
  const request = new Request(kConstruct, innerRequest)
  if (guard === undefined) return request
`,
  },
  {
    find: `        process.emitWarning('Using`,
    put: `        console.warn('Using`,
  },
];

/** `transfer` is deleted from the prototype for guests; streams keep the one from before. */
const STREAMS: readonly Patch[] = [
  {
    find: `"function"==typeof e.transfer?e=>e.transfer():`,
    put: `true?vcxTransfer:`,
  },
];

/** Tables of names and characters, hundreds of small arrays, are made when a text is not UTF-8. */
const ENCODING: readonly Patch[] = [
  {
    find: `import labels from './encoding.labels.js'\n`,
    put: `const labels = () => require('./encoding.labels.js').default\n`,
  },
  { find: `Object.hasOwn(labels, low)`, put: `Object.hasOwn(labels(), low)` },
  { find: `Object.entries(labels)`, put: `Object.entries(labels())` },
  { find: `Object.hasOwn(labels, enc)`, put: `Object.hasOwn(labels(), enc)` },
];

const SINGLE_BYTE: readonly Patch[] = [
  {
    find: `import encodings from './single-byte.encodings.js'\n`,
    put: `const encodings = () => require('./single-byte.encodings.js').default\n`,
  },
  { find: `Object.hasOwn(encodings, encoding)`, put: `Object.hasOwn(encodings(), encoding)` },
  { find: `encodings[encoding]`, put: `encodings()[encoding]` },
];

/** By the end of a file's path. */
export const PATCHES: Readonly<Record<string, readonly Patch[]>> = {
  'undici/lib/web/fetch/body.js': BODY,
  'undici/lib/web/fetch/response.js': RESPONSE,
  'undici/lib/web/fetch/request.js': REQUEST,
  'web-streams-polyfill/dist/ponyfill.mjs': STREAMS,
  '@exodus/bytes/fallback/encoding.js': ENCODING,
  '@exodus/bytes/fallback/single-byte.js': SINGLE_BYTE,
};

/** Names that our code reads from packages though they are private there. */
export const PRIVATE_NAMES: Readonly<Record<string, readonly string[]>> = {
  'web-streams-polyfill/dist/ponyfill.mjs': ['._disturbed=!0', '._state='],
};

/** The source with its patches applied; throws when a text is missing or met twice. */
export function patch(file: string, source: string): string {
  for (const name of PRIVATE_NAMES[file] ?? [])
    if (!source.includes(name)) throw new Error(`${file}: ${name} is gone; see sdk/guest/build`);
  let result = source;
  for (const { find, put } of PATCHES[file] ?? []) {
    const parts = result.split(find);
    if (parts.length !== 2)
      throw new Error(`${file}: patched text occurs ${parts.length - 1} times: ${find.trim()}`);
    result = parts.join(put);
  }
  return result;
}
