/**
 * A scripted HTTP server that signs in like vCloud and otherwise answers what a test tells it, also badly.
 * It is no simulated cell: that one is `sdk/localcloud`.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface FakeAnswer {
  readonly status?: number;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** An answer, or full control over the response. */
export type FakeRoute = (seen: SeenRequest, response: ServerResponse) => FakeAnswer | null;

export interface FakeVcloud extends AsyncDisposable {
  readonly url: string;
  /** Everything that arrived, in order. */
  readonly seen: readonly SeenRequest[];
  /** Answer `GET /path` (query left out) from now on; each of several answers is given once, the last for ever. */
  on(what: string, ...routes: readonly FakeRoute[]): void;
  /** All tokens given so far are refused from now on. */
  revokeAll(): void;
  /** Requests by `GET /path`. */
  count(what: string): number;
}

export interface FakeOptions {
  /** @default ['36.3', '37.0', '39.0.0-alpha'] */
  readonly versions?: readonly string[];
  readonly password?: string;
}

export function errorXml(status: number, minor: string, message: string): FakeAnswer {
  return {
    status,
    type: 'application/vnd.vmware.vcloud.error+xml;version=37.0',
    body: `<?xml version="1.0"?><Error xmlns="http://www.vmware.com/vcloud/v1.5" message="${message}" majorErrorCode="${status}" minorErrorCode="${minor}"/>`,
  };
}

export async function openFakeVcloud(options: FakeOptions = {}): Promise<FakeVcloud> {
  const { versions = ['36.3', '37.0', '39.0.0-alpha'], password = 'pass-word-1' } = options;
  const seen: SeenRequest[] = [];
  const routes = new Map<string, FakeRoute[]>();
  const tokens = new Set<string>();
  let refreshToken = 'refresh-token-0';
  let issued = 0;
  const issue = () => {
    const token = `access-token-${++issued}`;
    tokens.add(token);
    return token;
  };

  function signIn(request: SeenRequest): FakeAnswer | null {
    if (request.path === '/api/versions') return { body: versionsXml(versions) };
    if (/^\/cloudapi\/1\.0\.0\/sessions(?:\/provider)?$|^\/api\/sessions$/.test(request.path)) {
      const basic = String(request.headers['authorization']).replace('Basic ', '');
      const given = Buffer.from(basic, 'base64').toString();
      if (!given.endsWith(`:${password}`)) return errorXml(401, 'UNAUTHORIZED', `not ${given}`);
      const old = request.path === '/api/sessions';
      const header = old ? 'x-vcloud-authorization' : 'x-vmware-vcloud-access-token';
      return { headers: { [header]: issue() } };
    }
    if (!request.path.startsWith('/oauth/')) return null;
    const given = new URLSearchParams(request.body).get('refresh_token');
    if (given !== refreshToken) return errorXml(400, 'invalid_grant', `token ${given}`);
    if (request.path.includes('/provider/')) refreshToken = `refresh-token-${issued + 1}`;
    const body = JSON.stringify({ access_token: issue(), refresh_token: refreshToken });
    return { type: 'application/json', body };
  }

  function answerTo(request: SeenRequest, response: ServerResponse): FakeAnswer | null {
    const what = `${request.method} ${request.path.split('?')[0]}`;
    const scripted = routes.get(what);
    if (!scripted && what.startsWith('DELETE /api/session')) return { status: 204 };
    const unsigned = signInPath(request.path);
    const signed = unsigned && !scripted ? signIn(request) : null;
    if (signed) return signed;
    const header = request.headers['authorization'] ?? request.headers['x-vcloud-authorization'];
    const token = String(header).replace('Bearer ', '');
    if (!unsigned && !tokens.has(token)) return errorXml(401, 'UNAUTHORIZED', 'session ended');
    const route = scripted && (scripted.length > 1 ? scripted.shift() : scripted[0]);
    return route ? route(request, response) : errorXml(404, 'RESOURCE_NOT_FOUND', what);
  }

  const server = createServer((incoming, response) => {
    void read(incoming).then((request) => {
      seen.push(request);
      const answer = answerTo(request, response);
      if (answer) send(response, answer);
    });
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    on: (what, ...given) => void routes.set(what, [...given]),
    revokeAll: () => tokens.clear(),
    count: (what) =>
      seen.filter(({ method, path }) => `${method} ${path.split('?')[0]}` === what).length,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

function signInPath(path: string): boolean {
  return /^\/(?:api\/versions|api\/sessions|oauth\/|cloudapi\/1\.0\.0\/sessions)/.test(path);
}

async function read(incoming: IncomingMessage): Promise<SeenRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return {
    method: incoming.method ?? '',
    path: incoming.url ?? '',
    headers: incoming.headers,
    body: Buffer.concat(chunks).toString(),
  };
}

function send(response: ServerResponse, answer: FakeAnswer): void {
  const { status = 200, type = 'application/*+xml', headers = {}, body = '' } = answer;
  response.writeHead(status, { 'content-type': type, ...headers });
  response.end(body);
}

function versionsXml(versions: readonly string[]): string {
  const infos = versions.map(
    (version) =>
      `<v:VersionInfo deprecated="false"><v:Version>${version}</v:Version><v:LoginUrl>/x</v:LoginUrl></v:VersionInfo>`,
  );
  return `<v:SupportedVersions xmlns:v="http://www.vmware.com/vcloud/versions">${infos.join('')}</v:SupportedVersions>`;
}
