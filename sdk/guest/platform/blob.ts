/**
 * Blob and File, held in memory.
 * May import: install, platform/encoding, platform/streams.
 */
import { publish } from '../install.ts';
import { now, toNumber, toText } from '../primordials.ts';
import { TextDecoder, utf8 } from './encoding.ts';
import { ReadableStream } from './streams.ts';

const CHUNK_BYTES = 65_536;

interface BlobOptions {
  readonly type?: string;
  readonly endings?: 'transparent' | 'native';
}

function bytesOf(part: unknown): Uint8Array {
  if (part instanceof Blob) return contents(part);
  if (part instanceof ArrayBuffer) return new Uint8Array(part);
  if (ArrayBuffer.isView(part))
    return new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
  return utf8(toText(part).toWellFormed());
}

function join(parts: Iterable<unknown>): Uint8Array<ArrayBuffer> {
  const pieces = Array.from(parts, bytesOf);
  const joined = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    joined.set(piece, offset);
    offset += piece.length;
  }
  return joined;
}

/** Printable ASCII only, else no type at all, as the standard has it. */
function cleanType(type: unknown): string {
  const text = type === undefined ? '' : toText(type);
  return /[^\x20-\x7e]/.test(text) ? '' : text.toLowerCase();
}

let contents: (blob: Blob) => Uint8Array<ArrayBuffer>;

export class Blob {
  #bytes: Uint8Array<ArrayBuffer>;
  readonly #type: string;

  constructor(parts: Iterable<unknown> = [], options: BlobOptions = {}) {
    if (typeof parts !== 'object' || parts === null || !(Symbol.iterator in parts))
      throw new TypeError('Blob parts must be a sequence');
    this.#bytes = join(parts);
    this.#type = cleanType(options?.type);
  }
  static {
    contents = (blob) => blob.#bytes;
  }

  get size(): number {
    return this.#bytes.length;
  }
  get type(): string {
    return this.#type;
  }

  slice(start?: number, end?: number, type?: string): Blob {
    const part = new Blob([], { type: type ?? '' });
    part.#bytes = this.#bytes.slice(start, end);
    return part;
  }
  async text(): Promise<string> {
    return new TextDecoder('utf-8', { ignoreBOM: false }).decode(this.#bytes);
  }
  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.#bytes.slice().buffer;
  }
  async bytes(): Promise<Uint8Array> {
    return this.#bytes.slice();
  }
  stream(): unknown {
    const bytes = this.#bytes;
    let offset = 0;
    return new ReadableStream({
      type: 'bytes',
      pull(controller) {
        if (offset < bytes.length) controller.enqueue(bytes.slice(offset, offset + CHUNK_BYTES));
        offset += CHUNK_BYTES;
        if (offset >= bytes.length) {
          controller.close();
          controller.byobRequest?.respond(0);
        }
      },
    });
  }
  get [Symbol.toStringTag](): string {
    return 'Blob';
  }
}

export class File extends Blob {
  readonly #name: string;
  readonly #lastModified: number;
  constructor(
    parts: Iterable<unknown>,
    name: string,
    options: BlobOptions & { readonly lastModified?: number } = {},
  ) {
    super(parts, options);
    this.#name = toText(name).toWellFormed();
    this.#lastModified = toNumber(options?.lastModified ?? now());
  }
  get name(): string {
    return this.#name;
  }
  get lastModified(): number {
    return this.#lastModified;
  }
  get webkitRelativePath(): string {
    return '';
  }
  override get [Symbol.toStringTag](): string {
    return 'File';
  }
}

publish({ Blob, File });
