/**
 * A call as the corridor sees it: decoded, canonical, without credentials.
 * May import: kernel.
 */

/** Who called, from the message's security context only. */
export interface Identity {
  /** `urn:vcloud:user:…` */
  readonly user: string;
  /** `urn:vcloud:org:…` */
  readonly org: string;
  /** URNs of the rights that the caller's role holds. */
  readonly rights: ReadonlySet<string>;
  /** Whether the caller belongs to the provider's System org. */
  readonly provider: boolean;
}

/** Where the reply goes: all three from the message each time, since every cell has its own queue. */
export interface ReplyAddress {
  readonly exchange: string;
  readonly routingKey: string;
  readonly correlationId: string | null;
}

export interface Call {
  /** Id of the message body; echoed in the reply. Not the correlation id. */
  readonly id: string;
  readonly kind: 'request' | 'response';
  readonly exchange: string;
  readonly routingKey: string;
  readonly method: string;
  /** Canonical path: decoded once, unambiguous; serves routing and both authorizations. */
  readonly path: string;
  /** Path as it came, for the guest's URL. */
  readonly rawPath: string;
  /** Query string without `?`, not decoded; empty for none. */
  readonly query: string;
  /** Host name the client used, or `vcloud`. */
  readonly host: string;
  /** Request headers without credentials; names as they came. */
  readonly headers: readonly (readonly [string, string])[];
  readonly accept: string;
  /** Base64, or null for none. */
  readonly body: string | null;
  readonly bodyBytes: number;
  /** For `response` calls: the status vCloud answered with. */
  readonly statusCode: number;
  readonly identity: Identity;
  readonly address: ReplyAddress;
  /** Epoch ms at which the cell stops waiting by its own clock, or null. */
  readonly replyBy: number | null;
  /** Monotonic ms. */
  readonly arrivedAt: number;
  readonly redelivered: boolean;
}
