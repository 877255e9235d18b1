/**
 * Hands requests to the services that match them, and the cell's own answers to those that want to see them.
 * May import: authorize, broker, caller, element, fault, filters, message, represent, model, store.
 */
import type { CellBroker } from './broker.ts';
import type { Caller } from '../sessions/caller.ts';
import { textOf } from '../documents/element.ts';
import { isAuthorized } from '../extension/authorization/authorize.ts';
import { VcloudFault } from '../documents/fault.ts';
import { servicesForAnswer } from './filters.ts';
import {
  type CellForward,
  type CellReply,
  type HttpMessage,
  answerHeaders,
  encodeMessage,
} from './message.ts';
import { rightUrn } from '../documents/represent.ts';
import type { Entity } from '../model.ts';
import { type Store, rightsOf } from '../store.ts';

export interface Exchange {
  readonly store: Store;
  readonly broker: CellBroker;
  readonly caller: Caller;
}

const BODILESS = new Set([204, 205, 304]);

function toResponse(reply: CellReply): Response {
  const body = BODILESS.has(reply.status) || reply.body.byteLength === 0 ? null : reply.body;
  return new Response(body, {
    status: reply.status,
    headers: reply.headers.map(([a, b]) => [a, b]),
  });
}

function ask({ store, broker, caller }: Exchange, service: Entity, message: HttpMessage) {
  const rights = rightsOf(store, caller.user).map(rightUrn);
  const target = {
    service: service.name ?? '',
    exchange: textOf(service.content, 'Exchange') ?? '',
    routingKey: textOf(service.content, 'RoutingKey') ?? '',
  };
  return broker.send(target, encodeMessage(message, { user: caller.user, rights }));
}

function forwarded(message: HttpMessage, change: CellForward): HttpMessage {
  const { method, requestUri, queryString, headers } = change;
  const body = change.body.toString('base64');
  return { ...message, method, requestUri, queryString, headers, body };
}

/** 403 unless every one of the services may be called; none has got the request by then. */
function authorize({ store, caller }: Exchange, services: readonly Entity[], message: HttpMessage) {
  const asking = { user: caller.user, method: message.method, path: message.requestUri };
  const refusing = services.find((service) => !isAuthorized(store, service, asking));
  if (refusing)
    throw new VcloudFault(
      403,
      `The service '${refusing.name}' has no rule that allows this request`,
    );
}

/**
 * Pass a request along its services, highest priority first: the first that answers ends the chain, one that sends a
 * request back hands it on, changed or not. Returns the answer, or the request that is left for the cell itself.
 */
export async function dispatch(
  exchange: Exchange,
  services: readonly Entity[],
  request: HttpMessage,
): Promise<Response | HttpMessage> {
  authorize(exchange, services, request);
  let message = request;
  for (const service of services) {
    const reply = await ask(exchange, service, message);
    if (reply.kind === 'response') return toResponse(reply);
    message = forwarded(message, reply);
  }
  return message;
}

/** Give the cell's own answer to every service that filters its content type, one after the other. */
export async function filterAnswer(
  exchange: Exchange,
  request: HttpMessage,
  answer: Response,
): Promise<Response> {
  let current = answer;
  const seen = new Set<string>();
  for (;;) {
    // Asked anew each time: a service may have changed the content type.
    const service = servicesForAnswer(
      exchange.store,
      current.headers.get('content-type') ?? '',
    ).find(({ id }) => !seen.has(id));
    if (!service) return current;
    seen.add(service.id);
    const reply = await ask(exchange, service, {
      ...request,
      headers: answerHeaders(current.headers),
      body: Buffer.from(await current.arrayBuffer()).toString('base64'),
      statusCode: current.status,
      request: false,
    });
    // The other kind never comes back for a response: see `decodeReply`.
    if (reply.kind === 'response') current = toResponse(reply);
  }
}
