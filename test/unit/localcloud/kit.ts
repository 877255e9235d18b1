/** A cell's application without sockets and broker: requests go in as the server would give them, services are functions. */
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';

import { createApp } from '../../../sdk/localcloud/cell/app.ts';
import type { CellBroker } from '../../../sdk/localcloud/cell/amqp/broker.ts';
import type { Element } from '../../../sdk/localcloud/cell/documents/element.ts';
import {
  type CellForward,
  type CellReply,
  type CellRequest,
  decodeReply,
} from '../../../sdk/localcloud/cell/amqp/message.ts';
import {
  type OAuthDesk,
  createOAuthDesk,
} from '../../../sdk/localcloud/cell/sessions/oauth/oauth.ts';
import type { Notice } from '../../../sdk/localcloud/cell/events/happening.ts';
import {
  type SessionRules,
  createSessionRules,
  openSession,
} from '../../../sdk/localcloud/cell/sessions/sessions.ts';
import type { Org, User } from '../../../sdk/localcloud/cell/model.ts';
import { createStore } from '../../../sdk/localcloud/cell/populate.ts';
import type { Store } from '../../../sdk/localcloud/cell/store.ts';
import { readXml } from '../../../sdk/localcloud/cell/documents/xml.ts';

export const BASE = 'http://127.0.0.1:1';
export const VCLOUD = 'http://www.vmware.com/vcloud/v1.5';
export const VMEXT = 'http://www.vmware.com/vcloud/extension/v1.5';
export const HEAD = `xmlns="${VCLOUD}" xmlns:vmext="${VMEXT}"`;

export interface Message {
  readonly id: string;
  readonly request: boolean;
  readonly [field: string]: unknown;
}

/** What a service does with a message; what it returns is the reply's JSON. */
export type Service = (message: Message, type: string) => unknown;

export interface Options {
  readonly as?: User | string | undefined;
  readonly body?: string | Buffer;
  readonly json?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Root of an XML answer. */
  readonly xml: Element;
  /** Of a JSON answer. */
  readonly json: Record<string, unknown>;
}

export interface Cloud {
  readonly store: Store;
  readonly rules: SessionRules;
  readonly oauth: OAuthDesk;
  /** Every event so far that would be published. */
  readonly notices: Notice[];
  /** By routing key. */
  readonly services: Map<string, Service>;
  /** `METHOD /path`, as the system administrator unless told otherwise; '' as nobody. */
  call(what: string, options?: Options): Promise<Answer>;
  /** Like `call`, but anything else than the expected status throws. */
  expectCall(status: number, what: string, options?: Options): Promise<Answer>;
  user(name: string, org?: string): User;
  org(name: string): Org;
}

function createBroker(services: ReadonlyMap<string, Service>): CellBroker {
  const send = async (target: { routingKey: string }, request: CellRequest) => {
    const [message] = JSON.parse(request.body.toString()) as [Message];
    const given = await services.get(target.routingKey)?.(message, request.type);
    const reply: CellReply | CellForward | undefined = decodeReply(
      Buffer.from(JSON.stringify(given ?? null)),
      request,
    );
    if (!reply) throw new Error('no reply');
    return reply;
  };
  const counts = { published: 0, answered: 0, timedOut: 0, unknownReplies: 0, badReplies: 0 };
  return {
    counts,
    replyQueue: 'q',
    connected: () => true,
    send,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function incomingFor(method: string, url: string, headers: Headers): IncomingMessage {
  const incoming = new IncomingMessage(new Socket());
  const rawHeaders = [...headers].flat();
  return Object.assign(incoming, { method, url, rawHeaders, httpVersion: '1.1' });
}

export function createCloud(): Cloud {
  const store = createStore();
  const rules = createSessionRules(3_600_000);
  const oauth = createOAuthDesk(store, rules);
  const services = new Map<string, Service>();
  const notices: Notice[] = [];
  store.listeners.add((notice) => notices.push(notice));
  const amqp = {
    host: 'h',
    port: 5672,
    vhost: '/',
    username: 'u',
    ssl: false,
    password: 'p',
    prefix: 'vcd',
  };
  const app = createApp({ store, rules, oauth, base: BASE, amqp, broker: createBroker(services) });

  const call = async (what: string, options: Options = {}): Promise<Answer> => {
    const [method = '', path = ''] = what.split(' ', 2);
    const { as = store.administrator, body, json = false } = options;
    const token = typeof as === 'string' ? as : openSession(store, rules, as, true).token;
    const form = json ? 'json' : 'xml';
    const headers = new Headers({
      Accept: `application/*+${form};version=37.0`,
      ...(token === '' ? {} : { Authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'Content-Type': `application/*+${form}` }),
      ...options.headers,
    });
    const request = new Request(`${BASE}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    const response = await app.fetch(request, {
      incoming: incomingFor(method, path, headers),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      get xml() {
        return readXml(text);
      },
      get json() {
        return JSON.parse(text) as Record<string, unknown>;
      },
    };
  };

  return {
    store,
    rules,
    oauth,
    notices,
    services,
    call,
    async expectCall(status, what, options) {
      const answer = await call(what, options);
      if (answer.status !== status)
        throw new Error(`${what}: ${answer.status} instead of ${status}: ${answer.text}`);
      return answer;
    },
    user(name, org = 'acme') {
      const found = [...store.users.values()].find(
        (user) => user.name === name && user.org.name === org,
      );
      if (!found) throw new Error(`no user ${name}@${org}`);
      return found;
    },
    org(name) {
      const found = store.orgs.find((org) => org.name === name);
      if (!found) throw new Error(`no org ${name}`);
      return found;
    },
  };
}

export const children = (node: Element, name: string): Element[] =>
  node.children.filter((child) => child.name === name);

export const child = (node: Element, name: string): Element => {
  const [found] = children(node, name);
  if (!found) throw new Error(`no ${name} in ${node.name}`);
  return found;
};

/** `rel href` of all links, the base cut off. */
export const links = (node: Element): string[] =>
  children(node, 'Link').map(
    ({ attributes }) => `${attributes['rel']} ${attributes['href']?.replace(BASE, '')}`,
  );

/** Href of what was made. */
export const hrefOf = (answer: Answer): string =>
  answer.xml.attributes['href']?.replace(BASE, '') ?? '';

export interface Registration {
  readonly name?: string;
  readonly priority?: number;
  readonly authorization?: boolean;
  /** What stands in the containers, from ApiFilters on. */
  readonly containers?: string;
}

/** Register an enabled service with the routing key of its name; returns its path. */
export async function registerService(cloud: Cloud, wanted: Registration = {}): Promise<string> {
  const { name = 's', priority = 50, authorization = false, containers = '' } = wanted;
  const body = `<vmext:Service ${HEAD} name="${name}"><vmext:Namespace>org.example.${name}</vmext:Namespace><vmext:Enabled>true</vmext:Enabled><vmext:AuthorizationEnabled>${authorization}</vmext:AuthorizationEnabled><vmext:RoutingKey>${name}</vmext:RoutingKey><vmext:Priority>${priority}</vmext:Priority><vmext:Exchange>e</vmext:Exchange>${containers}</vmext:Service>`;
  return hrefOf(await cloud.expectCall(201, 'POST /api/admin/extension/service', { body }));
}

/** Disable the service `s`, so that it can be deleted. */
export const disable = (cloud: Cloud, service: string) =>
  cloud.expectCall(200, `PUT ${service}`, {
    body: `<vmext:Service ${HEAD} name="s"><vmext:Enabled>false</vmext:Enabled></vmext:Service>`,
  });

export const filters = (...inner: string[]) =>
  `<vmext:ApiFilters>${inner.map((text) => `<vmext:ApiFilter>${text}</vmext:ApiFilter>`).join('')}</vmext:ApiFilters>`;
export const urlFilter = (pattern: string) => `<vmext:UrlPattern>${pattern}</vmext:UrlPattern>`;
export const mediaFilter = (media: string) =>
  `<vmext:ResponseContentType>${media}</vmext:ResponseContentType>`;

/** A service's answer with that text. */
export const answerWith = (
  message: Message,
  text: string,
  extra: Record<string, unknown> = {},
) => ({
  id: message.id,
  headers: { 'Content-Type': 'text/plain' },
  statusCode: 200,
  body: Buffer.from(text).toString('base64'),
  request: false,
  ...extra,
});
