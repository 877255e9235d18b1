/**
 * What goes wrong between vcx and vCloud, as one typed error.
 * May import: kernel, message.
 */
import { HostError } from '../kernel/errors.ts';
import { decodeXml } from '../message/xml/documents.ts';

export interface VcloudErrorInit {
  readonly code: 'VCLOUD_REFUSED' | 'VCLOUD_UNAVAILABLE';
  readonly message: string;
  /** Null when there was no answer. */
  readonly status?: number | null;
  readonly majorErrorCode?: number | null;
  readonly minorErrorCode?: string | null;
  readonly cause?: unknown;
}

/**
 * `VCLOUD_REFUSED`: vCloud understood and said no (3xx, 4xx). `VCLOUD_UNAVAILABLE`: no answer, or 5xx.
 * The message names method and path and never holds a credential.
 */
export class VcloudError extends HostError {
  readonly status: number | null;
  readonly majorErrorCode: number | null;
  readonly minorErrorCode: string | null;

  constructor(init: VcloudErrorInit) {
    super(init.code, init.message, init.cause === undefined ? {} : { cause: init.cause });
    this.name = 'VcloudError';
    this.status = init.status ?? null;
    this.majorErrorCode = init.majorErrorCode ?? null;
    this.minorErrorCode = init.minorErrorCode ?? null;
  }
}

/** True for an error that is vCloud's answer with this status. */
export function hasStatus(error: unknown, ...statuses: readonly number[]): error is VcloudError {
  return error instanceof VcloudError && error.status !== null && statuses.includes(error.status);
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** The typed error for an answer of 300 or above; `what` is method and path. */
export function errorOf(what: string, answer: Answer, secrets: readonly string[]): VcloudError {
  const { message, major, minor } = readError(answer);
  const text = `${what}: ${answer.status}${minor ? ` ${minor}` : ''}${message ? `: ${message}` : ''}`;
  return new VcloudError({
    code: answer.status >= 500 || answer.status === 429 ? 'VCLOUD_UNAVAILABLE' : 'VCLOUD_REFUSED',
    message: redact(text, secrets).slice(0, 500),
    status: answer.status,
    majorErrorCode: major,
    minorErrorCode: minor,
  });
}

/** Take known secrets out of a text, should a server ever echo one. */
export function redact(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret.length > 3)
    .reduce((redacted, secret) => redacted.replaceAll(secret, '[redacted]'), text);
}

interface ErrorFields {
  readonly message: string | null;
  readonly major: number | null;
  readonly minor: string | null;
}

const NO_FIELDS: ErrorFields = { message: null, major: null, minor: null };

/** Error documents come as XML or JSON; anything else (a proxy's HTML page) has only its status. */
function readError({ contentType, body }: Answer): ErrorFields {
  try {
    if (contentType.includes('json')) return readJsonError(body);
    if (!contentType.includes('xml')) return NO_FIELDS;
    const error = decodeXml('Error', body, { bytes: 256 * 1024 });
    return {
      message: error.message ?? null,
      major: error.majorErrorCode ?? null,
      minor: error.minorErrorCode ?? null,
    };
  } catch {
    return NO_FIELDS;
  }
}

function readJsonError(body: Uint8Array): ErrorFields {
  const parsed: unknown = JSON.parse(new TextDecoder().decode(body));
  if (typeof parsed !== 'object' || parsed === null) return NO_FIELDS;
  const field = (name: string) => (parsed as Record<string, unknown>)[name];
  const [message, major, minor] = ['message', 'majorErrorCode', 'minorErrorCode'].map(field);
  return {
    message: typeof message === 'string' ? message : null,
    major: typeof major === 'number' ? major : null,
    minor: typeof minor === 'string' ? minor : null,
  };
}
