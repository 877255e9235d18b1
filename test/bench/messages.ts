/**
 * Requests as a cell publishes them, made once and stamped with an id for every call.
 * May import: nothing.
 */

/** Id in the message and correlation id: of fixed length, so that it can be written over. */
const ID_CHARS = 12;
const PLACE = '#'.repeat(ID_CHARS);

export interface Kind {
  readonly method: string;
  readonly uri: string;
  readonly org: string;
  /** Size of the whole message; the HTTP body fills it up. */
  readonly bytes: number;
}

export function orgUrn(number: number): string {
  return `urn:vcloud:org:70000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
}

export function idOf(serial: number): string {
  return serial.toString(36).padStart(ID_CHARS, '0');
}

/** A function that gives the message with an id. */
export function createMessage(kind: Kind): (id: string) => Buffer {
  const room = kind.bytes - text(kind, '').length;
  const body = Buffer.alloc(Math.max(0, Math.floor(room / 4) * 3), 'x').toString('base64');
  const template = Buffer.from(text(kind, body));
  const at = template.indexOf(PLACE);
  return (id) => {
    const message = Buffer.from(template);
    message.write(id, at, 'latin1');
    return message;
  };
}

function text({ method, uri, org }: Kind, body: string): string {
  const [requestUri, queryString = null] = uri.split('?');
  const http = {
    id: PLACE,
    method,
    requestUri,
    queryString,
    protocol: 'HTTP/1.1',
    scheme: 'https',
    remoteAddr: '10.23.6.168',
    remotePort: 60_576,
    localAddr: '10.100.1.40',
    localPort: 443,
    headers: {
      Accept: 'application/*+json;version=36.0',
      'Accept-Encoding': 'gzip, deflate',
      Host: 'vcloud.example.com',
      'User-Agent': 'bench/1.0',
      'X-Forwarded-For': '192.0.2.7',
    },
    body,
    statusCode: 0,
    request: true,
  };
  const user = 'urn:vcloud:user:80000000-0000-4000-8000-000000000001';
  const right = (number: number) => `urn:vcloud:right:90000000-0000-4000-8000-00000000000${number}`;
  const security = { parameters: null, user, org, rights: [right(1), right(2), right(3)] };
  return JSON.stringify([http, security, null]);
}

/** Status in a reply or in an echoed request (0), without parsing it. */
export function statusOf(reply: Buffer): number {
  const key = '"statusCode":';
  const at = reply.indexOf(key);
  return at < 0
    ? -1
    : Number.parseInt(reply.toString('latin1', at + key.length, at + key.length + 4), 10);
}
