/**
 * The one error class of the host and the closed set of codes it may carry.
 * May import: nothing.
 */

/** Whose fault a code is: what an operator looks at first. */
export type Blame = 'caller' | 'plugin' | 'operator' | 'host' | 'peer';

export interface CodeInfo {
  /** HTTP status of the refusal that the caller sees. */
  readonly status: number;
  readonly blame: Blame;
  /** What happened and what to do next; printed in `host/README.md`. */
  readonly means: string;
}

const caller = (status: number, means: string): CodeInfo => ({ status, blame: 'caller', means });
const plugin = (status: number, means: string): CodeInfo => ({ status, blame: 'plugin', means });
const operator = (status: number, means: string): CodeInfo => ({
  status,
  blame: 'operator',
  means,
});
const host = (status: number, means: string): CodeInfo => ({ status, blame: 'host', means });
const peer = (status: number, means: string): CodeInfo => ({ status, blame: 'peer', means });

/** Every code, once. A test compares this table with the documentation. */
export const CODES = {
  // decode
  MESSAGE_NOT_JSON: peer(
    400,
    'The message body is not a JSON array or object of the documented shape.',
  ),
  MESSAGE_INVALID: peer(
    400,
    'A field of the message is missing or has the wrong type; the message names it.',
  ),
  MESSAGE_TYPE_UNKNOWN: peer(
    400,
    'The messageType header is neither ProcessHttpRequest nor ProcessHttpResponse.',
  ),
  MESSAGE_TOO_LARGE: peer(413, 'The message is larger than `limits.messageBytes`.'),
  BODY_NOT_BASE64: peer(400, 'The request body is not valid base64.'),
  REQUEST_TOO_LARGE: caller(
    413,
    'The request body is larger than the plug-in may receive (`limits.requestBytes`).',
  ),
  PATH_AMBIGUOUS: caller(
    400,
    'The path has encoded slashes, dot segments, `;` parameters, double slashes or invalid UTF-8.',
  ),
  REPLY_ADDRESS_MISSING: peer(
    400,
    'The message has no replyToExchange header or no reply_to property; parked, since nobody can be answered.',
  ),
  REPLY_TARGET_REFUSED: peer(400, 'The reply exchange is not in `amqp.replyExchanges`; parked.'),
  REPLY_UNROUTABLE: peer(
    502,
    'The broker could not route the reply to a queue; parked after the retries.',
  ),
  DEADLINE_PASSED: peer(
    504,
    'The call was too late when it arrived; acknowledged and not worked on.',
  ),
  // admit
  OVERLOADED: host(503, 'All slots and the waiting room are full; retry after the time given.'),
  DRAINING: host(503, 'The host is shutting down; another host or a retry will serve the call.'),
  DUPLICATE_ID: peer(
    409,
    'The id of the message was used before by another caller or for another request.',
  ),
  OUTCOME_UNKNOWN: host(
    502,
    'A host died while the call may have run, and it must not run twice: ask for its result.',
  ),
  JOURNAL_UNAVAILABLE: host(
    503,
    'The journal can not be written, so a call that must not run twice was not begun.',
  ),
  // route
  ROUTE_NOT_FOUND: caller(404, 'No installed plug-in serves this path.'),
  METHOD_NOT_ALLOWED: caller(405, 'The path exists, but not with this method.'),
  PLUGIN_UNAVAILABLE: operator(
    503,
    'The plug-in that serves this path could not be loaded; see `vcx check`.',
  ),
  // authorize
  RIGHT_MISSING: caller(403, 'The caller lacks a right that the route asks for.'),
  RIGHTS_UNRESOLVED: operator(
    503,
    'The rights of the route are not resolved to URNs yet; vCloud has not been reached.',
  ),
  AUTHORIZATION_DENIED: caller(
    403,
    'vCloud itself said no: the rules of the service do not allow this user this call.',
  ),
  AUTHORIZATION_UNAVAILABLE: operator(
    503,
    'vCloud could not be asked whether the call is allowed, and it is not let through unasked.',
  ),
  // dispatch
  PLUGIN_THREW: plugin(500, 'The handler threw or its promise was rejected.'),
  CPU_EXCEEDED: plugin(503, 'The handler used more CPU time than `limits.cpuMs`.'),
  WALL_EXCEEDED: plugin(
    504,
    'The handler did not answer within `limits.wallMs` or the deadline of the call.',
  ),
  MEMORY_EXCEEDED: plugin(503, 'The isolate grew beyond `limits.memoryMb`.'),
  RUNNER_KILLED: plugin(502, 'The runner process that held the isolate was killed or died.'),
  RUNNER_UNAVAILABLE: host(503, 'No runner could be started; the pause grows while it goes on.'),
  CONCURRENCY_EXCEEDED: caller(
    429,
    'The org has as many calls of this plug-in in flight and waiting as it may.',
  ),
  PLUGIN_QUARANTINED: plugin(
    503,
    'The plug-in killed its runner too often, for this org or for all; it is paused, and the pause grows.',
  ),
  HOST_CALLS_EXCEEDED: plugin(500, 'The handler made more host calls than `limits.hostCalls`.'),
  RATE_EXCEEDED: caller(
    429,
    'The org made more calls of this plug-in than `limits.ratePerSecond` and `limits.burst` allow.',
  ),
  CPU_BUCKET_EMPTY: caller(
    429,
    'The org used far more CPU time than flows into its bucket (`limits.cpuPerSecondMs`, `limits.cpuBucketMs`).',
  ),
  // encode
  RESPONSE_INVALID: plugin(
    500,
    'The handler did not return a Response, or its status or a header is not valid.',
  ),
  RESPONSE_TOO_LARGE: plugin(502, 'The response is larger than `limits.responseBytes`.'),
  // bindings
  BINDING_DENIED: plugin(
    403,
    'The plug-in called a binding that its manifest does not name or the operator does not allow.',
  ),
  BINDING_FAILED: host(502, 'A host service failed; details are in the log of the host.'),
  BINDING_ARGUMENT: plugin(
    400,
    'A host service was called with an argument of the wrong type or size.',
  ),
  VCLOUD_OUT_OF_SCOPE: plugin(
    403,
    "A plug-in asked vCloud for something that is not provably the calling org's, or whose path the operator did not approve.",
  ),
  VCLOUD_RATE_EXCEEDED: plugin(
    429,
    'The plug-in sent vCloud more requests than `vcloud.requestsPerSecond` and its burst allow.',
  ),
  VCLOUD_ANSWER_TOO_LARGE: plugin(502, "vCloud's answer is larger than a plug-in may receive."),
  TASK_OVER: plugin(409, 'The task is over, unknown, or belongs to another call.'),
  BLOCKING_TASK_OVER: plugin(
    409,
    'The blocking task was decided already, by this call, by somebody else or by its time-out, or the call has none.',
  ),
  BLOCKING_TASK_UNKNOWN: peer(404, 'vCloud knows no such blocking task, or no longer.'),
  FETCH_ORIGIN_DENIED: plugin(
    403,
    'The plug-in fetched from an origin, or with a method, that its manifest does not name.',
  ),
  FETCH_ADDRESS_DENIED: plugin(
    403,
    'The name led to an address that plug-ins may not reach: not public and not in `fetch.addresses`, or the cell, the broker or the host itself.',
  ),
  FETCH_RATE_EXCEEDED: plugin(
    429,
    'The plug-in has too many fetches of this org under way, or made too many in too short a time.',
  ),
  FETCH_TOO_LARGE: plugin(
    502,
    'The body of a fetch, or the answer after decompression, is larger than allowed.',
  ),
  FETCH_TIMEOUT: peer(504, 'The other side did not answer a fetch in full before the time was up.'),
  FETCH_FAILED: peer(
    502,
    'A fetch came to nothing: no such name, no connection, no trust in the certificate, too many redirects, or an answer that is not HTTP.',
  ),
  SECRET_UNREADABLE: operator(
    503,
    'A secret can not be decrypted: the key is not the one it was sealed with; set the secret again.',
  ),
  // tenants
  TENANT_INVALID: operator(
    400,
    'A setting of an org is not of the expected form or size; the message names it.',
  ),
  TENANT_CONFIG_INVALID: operator(
    503,
    "The org's configuration does not fit the schema of the plug-in; the message names the place.",
  ),
  // notifications
  EVENT_INVALID: peer(
    400,
    'A notification is neither the XML nor the JSON form, or a field that it must have is missing or wrong; parked.',
  ),
  EVENT_TOO_LARGE: peer(
    413,
    'The body of a notification is larger than is taken; parked without its body, so it can not be replayed.',
  ),
  EVENT_ATTEMPTS_EXHAUSTED: plugin(
    500,
    'The plug-in failed on a notification as often as it may; parked: replay it once the plug-in is mended.',
  ),
  // set-up and surroundings
  CONFIG_INVALID: operator(
    500,
    'vcx.yaml or the environment holds a wrong value; the message names key and expectation.',
  ),
  BUNDLE_INVALID: plugin(
    500,
    'A plug-in folder or bundle can not be loaded; the message says where and why.',
  ),
  BUNDLE_ARCHIVE: plugin(
    400,
    'The .vcx file is not an archive in the one form that `vcx plugin pack` writes; the message says what is wrong.',
  ),
  BUNDLE_TOO_LARGE: plugin(
    413,
    'The .vcx file, one of its files or their number is over the cap, or all that an org keeps here.',
  ),
  BUNDLE_UNSIGNED: plugin(
    403,
    'The bundle has no signature: sign it with `vcx plugin sign` (in development `--allow-unsigned` takes it).',
  ),
  BUNDLE_SIGNATURE_INVALID: plugin(
    403,
    'A signature does not hold: the bundle was changed after signing, or the envelope is malformed.',
  ),
  BUNDLE_KEY_UNKNOWN: operator(
    403,
    "The bundle is signed with a key that no owner in the trust store has: add the owner's key, or refuse the bundle.",
  ),
  BUNDLE_KEY_REVOKED: plugin(403, 'The bundle is signed with a key that the operator revoked.'),
  BUNDLE_KEY_EXPIRED: plugin(
    403,
    'The key that signed the bundle expired: sign anew with a key that is valid.',
  ),
  BUNDLE_REVOKED: operator(403, 'The operator revoked this very bundle by its digest.'),
  BUNDLE_NAMESPACE_FOREIGN: plugin(
    403,
    "The bundle's namespace is not its owner's: the trust store names the holder, or nobody.",
  ),
  BUNDLE_NAME_TAKEN: plugin(
    409,
    'The name, namespace, routing key or a route of the bundle is held by another plug-in, which the message names.',
  ),
  BUNDLE_VERSION_TAKEN: plugin(
    409,
    'This version was installed with other contents: give the new contents a new version.',
  ),
  BUNDLE_DOWNGRADE: operator(
    409,
    'The version is older than the current one: say `--force` to mean it, or roll back.',
  ),
  BUNDLE_UNHEALTHY: plugin(
    500,
    "The bundle's own health check did not answer with a status from 200 to 299; the running version stays.",
  ),
  BUNDLE_OWNER_FOREIGN: operator(403, 'Only the owner of the plug-in or the operator may do this.'),
  PLUGIN_UNKNOWN: operator(404, 'No plug-in, or no version of it, is installed under this name.'),
  PLUGIN_CHANGED: operator(
    409,
    'Somebody else changed the plug-in at the same moment: look at it and try again.',
  ),
  // operator API and command line
  OPERATOR_UNAUTHENTICATED: caller(
    401,
    'The operator API was called without a token that counts: give that of `stateDir/operator.token`, or one that the operator made for you.',
  ),
  OPERATOR_FORBIDDEN: caller(
    403,
    "Only the operator may do this: the token given is an owner's; ask the operator.",
  ),
  OPERATOR_ADDRESS_REFUSED: caller(
    403,
    'The operator API was called under a name that is not its own, or from a page of another origin: `operator.hosts` lists further names.',
  ),
  OPERATOR_RATE_EXCEEDED: caller(
    429,
    'Too many wrong tokens in a short time: wait, and correct the token.',
  ),
  OPERATOR_INPUT: caller(
    400,
    'A request to the operator API has a wrong path, query or body, or ended before it was whole; the message names the place.',
  ),
  OPERATOR_BODY_TOO_LARGE: caller(
    413,
    'The body of a request to the operator API is over its cap.',
  ),
  OPERATOR_NOT_FOUND: caller(404, 'The operator API has nothing under this address or name.'),
  OPERATOR_BUSY: caller(
    503,
    'Too many uploads or followed logs of the same caller are under way: let one end first.',
  ),
  TOKEN_NAME_TAKEN: operator(
    409,
    'There is a token of this name: delete it first, or choose another.',
  ),
  OPERATOR_UNAVAILABLE: peer(
    503,
    'The operator endpoint of the host can not be reached or does not answer as one: see that the host runs and that the address is right.',
  ),
  STORE_BLOB_ALTERED: operator(
    500,
    'The bytes of a stored bundle are not those that were put there: install the version again.',
  ),
  CLUSTER_UNAVAILABLE: peer(
    503,
    'NATS, which holds what the hosts share, can not be reached or does not answer; the host keeps trying.',
  ),
  CLUSTER_CREDENTIALS: operator(
    503,
    'NATS refused the credentials: compare `cluster.user` with its password, key or credentials file with the accounts of the server, or grant what the message names.',
  ),
  CLUSTER_JETSTREAM_DISABLED: operator(
    503,
    'The NATS server, or the account, has no JetStream: switch it on (`jetstream: enabled`), or name other servers.',
  ),
  CLUSTER_BUCKET_SHAPE: operator(
    503,
    'A bucket or stream of this name is there with other settings; it is not altered. Edit it with `nats stream edit` to what the message names, change the setting, or take another `cluster.prefix`.',
  ),
  CLUSTER_STORE_FULL: operator(
    503,
    'A bucket, or the storage of NATS, is full: nothing is overwritten. Raise its bytes, or remove what is not needed.',
  ),
  CLUSTER_VALUE_TOO_LARGE: operator(
    413,
    'A value is larger than a message of this NATS may be: raise `max_payload` of the server.',
  ),
  BROKER_UNAVAILABLE: peer(503, 'RabbitMQ can not be reached; the host keeps trying.'),
  BROKER_TOPOLOGY: operator(
    503,
    'An exchange or queue is missing or of another type; the message says which.',
  ),
  VCLOUD_UNAVAILABLE: peer(503, 'vCloud can not be reached; the host keeps trying.'),
  VCLOUD_REFUSED: operator(503, 'vCloud refused a request; the message holds its error.'),
  XML_INVALID: peer(
    502,
    'A document is not well-formed, holds a DTD, or breaks the size and depth caps.',
  ),
  INTERNAL: host(500, 'A defect in vcx: please report it with the log line.'),
} as const satisfies Record<string, CodeInfo>;

export type Code = keyof typeof CODES;

/** An unexpected or refused condition with a stable code. Expected outcomes are values, not exceptions. */
export class HostError extends Error {
  readonly code: Code;

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'HostError';
    this.code = code;
  }

  get info(): CodeInfo {
    return CODES[this.code];
  }
}

/** The code of anything thrown; what is not ours is `INTERNAL`. */
export function codeOf(error: unknown): Code {
  return error instanceof HostError ? error.code : 'INTERNAL';
}

/** The message of anything thrown, as one short line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\s+/g, ' ').slice(0, 500);
}
