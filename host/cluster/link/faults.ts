/**
 * What the NATS client throws, read into our codes.
 * May import: kernel, @nats-io.
 */
import { JetStreamApiError, JetStreamError } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';

import { HostError, messageOf, type Code } from '../../kernel/errors.ts';

/** Error codes of the JetStream API that this room tells apart (nats-server, server/errors.json). */
const API = {
  wrongLastSequence: 10_071,
  wrongLastSequenceUnknown: 10_164,
  sameIdUnderWay: 10_158,
  notEnabledForAccount: 10_039,
  notEnabled: 10_076,
  messageNotFound: 10_037,
  messageNotDeleted: 10_057,
  streamNotFound: 10_059,
  replicasNeedCluster: 10_074,
} as const;

/** Insufficient or exceeded: memory, storage, streams of the account, bytes or messages of the stream. */
const FULL = new Set([10_002, 10_023, 10_028, 10_047, 10_065, 10_077]);
const FULL_TEXT = /maximum (bytes|messages)|insufficient|resource limits exceeded|no space left/i;

/** Whether a compare-and-set lost: the key was changed since. */
export function isConflict(error: unknown): boolean {
  return (
    error instanceof JetStreamApiError &&
    [API.wrongLastSequence, API.wrongLastSequenceUnknown, API.sameIdUnderWay].some(
      (code) => code === error.code,
    )
  );
}

export function isMissing(error: unknown): boolean {
  return (
    error instanceof JetStreamApiError &&
    [API.messageNotFound, API.messageNotDeleted, API.streamNotFound].some(
      (code) => code === error.code,
    )
  );
}

/** The same while the link is opened, when silence about JetStream means that there is none. */
export function connectError(error: unknown, about: string): HostError {
  if (!isUnanswered(error)) return clusterError(error, about);
  const text = `${about}: nothing answers for JetStream: it is off`;
  return new HostError('CLUSTER_JETSTREAM_DISABLED', text, { cause: error });
}

/** Anything that the client threw as a HostError with one of the CLUSTER codes; our own errors pass. */
export function clusterError(error: unknown, about: string): HostError {
  if (error instanceof HostError) return error;
  const code = codeFor(error);
  return new HostError(code, `${about}: ${textOf(error, code)}`, { cause: error });
}

/** Nobody listens there: no JetStream, no such stream, or one without a leader while a server is replaced. */
function isUnanswered(error: unknown): boolean {
  // The class is not exported.
  return error instanceof Error && error.name === 'JetStreamNotEnabled';
}

function codeFor(error: unknown): Code {
  if (isDenied(error)) return 'CLUSTER_CREDENTIALS';
  if (error instanceof JetStreamApiError) {
    if (error.code === API.notEnabled || error.code === API.notEnabledForAccount)
      return 'CLUSTER_JETSTREAM_DISABLED';
    // More `cluster.replicas` than there are servers.
    if (error.code === API.replicasNeedCluster) return 'CONFIG_INVALID';
    if (FULL.has(error.code) || FULL_TEXT.test(error.message)) return 'CLUSTER_STORE_FULL';
  }
  if (error instanceof JetStreamError && FULL_TEXT.test(error.message)) return 'CLUSTER_STORE_FULL';
  if (error instanceof errors.InvalidArgumentError && error.message.includes('max_payload'))
    return 'CLUSTER_VALUE_TOO_LARGE';
  return 'CLUSTER_UNAVAILABLE';
}

/** A wrong password, and also a user that may not use these subjects. */
function isDenied(error: unknown): boolean {
  const seen = error instanceof Error ? [error, error.cause] : [error];
  return seen.some(
    (each) =>
      each instanceof errors.AuthorizationError ||
      each instanceof errors.UserAuthenticationExpiredError ||
      each instanceof errors.PermissionViolationError,
  );
}

function textOf(error: unknown, code: Code): string {
  if (code === 'CLUSTER_JETSTREAM_DISABLED') return `JetStream is off: ${messageOf(error)}`;
  if (isUnanswered(error))
    return 'nothing answers for it: a server is being replaced, JetStream is off, or the stream was removed';
  return messageOf(error);
}
