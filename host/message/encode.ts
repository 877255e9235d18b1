/**
 * Builds the reply message that vCloud waits for.
 * May import: kernel.
 */

/** `array`: the vendor's documentation; `object`: what VMware's own Python extension sends. */
export type ReplyEnvelope = 'array' | 'object';

export interface ReplyMessage {
  /** Id of the request's body. */
  readonly id: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Base64; empty for none. */
  readonly body: string;
  /** Names of headers that a guest gave and no reply may have; never sent, for the author alone. */
  readonly dropped?: readonly string[];
}

export function encodeReply(reply: ReplyMessage, envelope: ReplyEnvelope): Buffer {
  const message = {
    id: reply.id,
    headers: reply.headers,
    statusCode: reply.status,
    body: reply.body,
    request: false,
  };
  return Buffer.from(JSON.stringify(envelope === 'array' ? [message] : message));
}
