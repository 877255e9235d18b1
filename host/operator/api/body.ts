/**
 * Reads the body of a request whole, within a cap.
 * May import: kernel.
 */
import { HostError, type Code } from '../../kernel/errors.ts';

export interface BodyCap {
  readonly maxBytes: number;
  /** Thrown for what is larger. */
  readonly code: Code;
}

/** Refuses by `Content-Length` before reading, and while reading. Throws OPERATOR_INPUT for what ends early. */
export async function readBody(request: Request, { maxBytes, code }: BodyCap): Promise<Buffer> {
  const tooLarge = () => new HostError(code, `the body has more than ${maxBytes} bytes`);
  const declared = request.headers.get('content-length');
  if (declared !== null && !/^\d{1,15}$/.test(declared))
    throw new HostError('OPERATOR_INPUT', 'Content-Length: not a number');
  if (Number(declared ?? 0) > maxBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunksOf(request)) {
    length += chunk.byteLength;
    // Leaving the loop cancels the stream.
    if (length > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  if (declared !== null && length !== Number(declared)) throw cutShort();
  return Buffer.concat(chunks, length);
}

async function* chunksOf(request: Request): AsyncGenerator<Uint8Array> {
  if (!request.body) return;
  const reader = request.body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  let whole = false;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw cutShort(error);
      });
      whole = done;
      if (done) return;
      yield value;
    }
  } finally {
    if (!whole) await reader.cancel().catch(() => undefined);
  }
}

function cutShort(cause?: unknown): HostError {
  return new HostError('OPERATOR_INPUT', 'the body ended before it was whole', { cause });
}
