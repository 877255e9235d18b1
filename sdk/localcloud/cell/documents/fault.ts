/**
 * The errors of the vCloud API, as status, code and words.
 * May import: element.
 */
import { type Element, element } from './element.ts';

const MINOR = {
  400: 'BAD_REQUEST',
  401: 'UNAUTHORIZED',
  403: 'ACCESS_TO_RESOURCE_IS_FORBIDDEN',
  404: 'RESOURCE_NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  406: 'NOT_ACCEPTABLE',
  413: 'REQUEST_ENTITY_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  500: 'INTERNAL_SERVER_ERROR',
  503: 'SERVICE_UNAVAILABLE',
  504: 'GATEWAY_TIMEOUT',
} as const;

export type FaultStatus = keyof typeof MINOR;

/** Thrown anywhere below a route; the client gets it as `vcloud:Error` in XML or JSON. */
export class VcloudFault extends Error {
  readonly status: FaultStatus;
  readonly minor: string;

  constructor(status: FaultStatus, message: string, minor: string = MINOR[status]) {
    super(message);
    this.name = 'VcloudFault';
    this.status = status;
    this.minor = minor;
  }
}

export function faultElement(fault: VcloudFault): Element {
  return element('vcloud:Error', {
    message: fault.message,
    majorErrorCode: fault.status,
    minorErrorCode: fault.minor,
  });
}
