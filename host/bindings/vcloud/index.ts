/**
 * `env.vcloud`: requests to vCloud as the service account, within the calling org.
 * May import: kernel, message, vcloud.
 *
 * The host adds the tenant context and proves every id in path, query and body before anything is sent.
 * Acting as the caller, with the caller's own token, is not offered.
 */
import { z } from 'zod';

import { HostError } from '../../kernel/errors.ts';
import { encodeError } from '../../message/vcloud-error.ts';
import type { VcloudAnswer } from '../../vcloud/client/calls.ts';
import { errorOf } from '../../vcloud/errors.ts';
import { checkArguments } from '../arguments.ts';
import type { Binding, Grant } from '../binding.ts';
import { runQuery } from './query.ts';
import { checkWish, type ReachRooms } from './reach.ts';

/** Largest body in either direction, in bytes; the host calls of one call have a cap of their own. */
const BODY_BYTES = 524_288;

const requestArguments = z.tuple([
  z.enum(['GET', 'POST', 'PUT', 'DELETE']),
  z.string().min(1).max(2_048),
  z
    .object({
      body: z.string().max(BODY_BYTES).nullish(),
      /** Media type of the body; also a key such as `vdc` of vCloud's types is not guessed. */
      type: z.string().max(255).nullish(),
      accept: z.enum(['xml', 'json']).nullish(),
    })
    .nullish(),
]);

const queryArguments = z.tuple([
  z.string().max(64),
  z
    .object({
      filter: z.string().min(1).max(1_024).nullish(),
      page: z.number().int().min(1).max(10_000).nullish(),
      pageSize: z.number().int().min(1).max(128).nullish(),
      sortAsc: z
        .string()
        .regex(/^[A-Za-z]{1,64}$/)
        .nullish(),
    })
    .nullish(),
]);

export function createVcloudBinding(rooms: ReachRooms): Binding {
  async function request(grant: Grant, args: unknown, signal: AbortSignal) {
    const [method, path, options] = checkArguments('vcloud', requestArguments, args);
    const type = options?.type ?? 'application/xml';
    const wish = { method, path, body: options?.body ?? null, type };
    if (!/^[\w.+-]+\/[\w.+-]+(?:;[\w.=-]+)*$/.test(type))
      throw new HostError('BINDING_ARGUMENT', 'vcloud: the type is not a media type');
    const checked = await checkWish(rooms, grant, wish, signal);
    const accept = options?.accept === 'json' ? 'application/*+json' : 'application/*+xml';
    const call = {
      method,
      path: checked.path,
      accept,
      ...(checked.body === null ? {} : { body: checked.body, type }),
    };
    return toGuest(rooms, await rooms.access.send(grant, call, signal), accept);
  }

  return {
    name: 'vcloud',
    async call(grant, method, args, signal) {
      switch (method) {
        case 'request':
          return request(grant, args, signal);
        case 'query': {
          const [type, options] = checkArguments('vcloud', queryArguments, args);
          const { filter = null, page, pageSize, sortAsc = null } = options ?? {};
          const wish = { type, filter, page: page ?? 1, pageSize: pageSize ?? 25, sortAsc };
          return runQuery(rooms.access, grant, wish, signal);
        }
        default:
          throw new HostError('BINDING_ARGUMENT', 'vcloud: unknown method');
      }
    },
  };
}

/** Status, the few headers that are the guest's business, and the body without tokens. */
function toGuest({ access }: ReachRooms, answer: VcloudAnswer, accept: string) {
  const { status, headers, body } = answer;
  if (status >= 300 && status < 400)
    throw new HostError('VCLOUD_OUT_OF_SCOPE', 'vcloud: redirects are not followed');
  if (status >= 400) return errorToGuest(answer, accept);
  if (body.length > BODY_BYTES)
    throw new HostError('VCLOUD_ANSWER_TOO_LARGE', `vcloud: more than ${BODY_BYTES} bytes`);
  const location = headers['location'];
  const text = new TextDecoder().decode(body);
  return {
    status,
    headers: [
      ...(headers['content-type'] ? [['content-type', headers['content-type']]] : []),
      ...(location?.startsWith(`${access.origin}/`)
        ? [['location', location.slice(access.origin.length)]]
        : []),
    ],
    // No document of an org holds a session's token; should one do so, it stays here.
    body: text.replaceAll(/\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g, '[redacted]'),
  };
}

/** vCloud's message and code, written anew: its stack traces stay here. */
function errorToGuest(answer: VcloudAnswer, accept: string) {
  const error = errorOf('vCloud', answer, []);
  const { contentType, body } = encodeError(
    {
      status: answer.status,
      code: error.minorErrorCode ?? 'VCLOUD_REFUSED',
      message: error.message,
    },
    accept,
  );
  return { status: answer.status, headers: [['content-type', contentType]], body };
}
