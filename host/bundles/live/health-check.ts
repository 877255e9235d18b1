/**
 * The bundle's own word on whether it can work, asked before it goes live.
 * May import: kernel, sandbox, bindings.
 */
import { randomUUID } from 'node:crypto';

import type { ConfigSchema } from '../../bindings/config/index.ts';
import { CODES, HostError } from '../../kernel/errors.ts';
import type { GuestBundle, Sandbox } from '../../sandbox/sandbox.ts';
import type { Manifest } from '../manifest/manifest.ts';
import type { RouteMatch } from './routes.ts';

/** Nobody's: what a health check leaves behind in an isolate no org ever sees. */
const NOBODY = 'urn:vcloud:org:00000000-0000-0000-0000-000000000000';
const NO_USER = 'urn:vcloud:user:00000000-0000-0000-0000-000000000000';
/** For a runner to start on a busy machine; how long the handler may take is the plug-in's own limit. */
const START_MS = 15_000;
const DENIED = JSON.stringify({
  ok: false,
  code: 'BINDING_DENIED',
  message: 'a health check has no bindings',
});

export interface Checked {
  readonly manifest: Pick<Manifest, 'healthCheck'>;
  readonly guest: GuestBundle;
  readonly match: (method: string, path: string) => RouteMatch<null>;
  readonly config: ConfigSchema;
}

/** GET of `healthCheck.path` with the plug-in's own limits; throws BUNDLE_UNHEALTHY with what came back, or what kept us from asking. */
export async function checkHealth(
  sandbox: Sandbox,
  { manifest, guest, match, config }: Checked,
): Promise<void> {
  if (!manifest.healthCheck) return;
  const { path } = manifest.healthCheck;
  const found = match('GET', path.split('?')[0] ?? path);
  if (found.kind !== 'found') throw unhealthy(`healthCheck.path: no route takes GET ${path}`);
  const callId = `health-${randomUUID()}`;
  let stack = '';
  const outcome = await sandbox.invoke({
    callId,
    bundle: guest,
    org: NOBODY,
    handler: 'fetch',
    payload: JSON.stringify({
      handler: 'fetch',
      method: 'GET',
      url: `https://vcloud${path}`,
      headers: [['accept', '*/*']],
      body: null,
      params: found.params,
      requestId: callId,
      caller: { user: NO_USER, org: NOBODY, rights: [], provider: false },
      remainingMs: guest.limits.wallMs,
      config: defaultsOf(config),
    }),
    deadline: performance.now() + START_MS + guest.limits.wallMs,
    idempotent: true,
    hostCall: () => Promise.resolve(DENIED),
    log: (level, text) => {
      if (level === 'error') stack = text;
    },
  });
  if (outcome.kind === 'failed') {
    const { code, message } = outcome;
    // No fault of the bundle.
    if (CODES[code].blame === 'host') throw new HostError(code, message);
    throw unhealthy(`${code}: ${message}${placeIn(stack)}`);
  }
  const status = statusOf(outcome.reply);
  if (status < 200 || status > 299) throw unhealthy(`GET ${path} was answered with ${status}`);
}

/** The innermost place of the plug-in's own. */
function placeIn(stack: string): string {
  const [place] = /plugin:main\.js:\d+:\d+/.exec(stack) ?? [];
  return place === undefined ? '' : ` (${place})`;
}

/** What an org gets that has configured nothing; null where that is not allowed. */
function defaultsOf(config: ConfigSchema): unknown {
  try {
    return config.parse(null);
  } catch {
    return null;
  }
}

/** What a guest answers may be anything. */
function statusOf(reply: string): number {
  try {
    const { status } = JSON.parse(reply) as { status?: unknown };
    return typeof status === 'number' ? status : 0;
  } catch {
    return 0;
  }
}

function unhealthy(why: string): HostError {
  return new HostError('BUNDLE_UNHEALTHY', `health check: ${why}`);
}
