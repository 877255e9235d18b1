/**
 * `vcx explain authz`: every step of the decision about a call, as the host would take it.
 * May import: everything.
 */
import type { Manifest, ManifestRoute } from '../bundles/manifest/manifest.ts';
import { createRouteTable } from '../bundles/live/routes.ts';
import { canonicalPath } from '../message/path.ts';
import { createAuthorizationCheck } from '../pipeline/authorization/check.ts';
import { wantsCheck } from '../pipeline/authorization/authority.ts';
import type { VcloudClient } from '../vcloud/client.ts';
import { resolveRights } from '../vcloud/registration/rights.ts';
import { readUser, type KnownUser } from '../vcloud/users.ts';
import { configured } from './configured.ts';
import { openConfiguredVcloud, readManifests } from './installation.ts';

export interface ExplainOptions {
  readonly user: string;
  readonly method: string;
  readonly url: string;
  readonly json?: boolean;
}

export interface Step {
  readonly step: 'path' | 'route' | 'user' | 'rights' | 'authorizationcheck' | 'decision';
  readonly passed: boolean;
  readonly detail: string;
  /** Code of the refusal that the caller would get. */
  readonly code?: string;
}

/** Exit code 0 when the call is allowed, 3 when it is refused. */
export const EXIT = { allowed: 0, refused: 3 } as const;

/** What has been found out so far. */
interface Case {
  readonly steps: Step[];
  readonly method: string;
  readonly client: VcloudClient;
}

interface Match {
  readonly manifest: Manifest;
  readonly route: ManifestRoute;
}

export async function explain(options: ExplainOptions): Promise<number> {
  const config = configured();
  const method = options.method.toUpperCase();
  const manifests = (await readManifests(config)).flatMap(({ manifest }) => manifest ?? []);
  await using client = openConfiguredVcloud(config);
  const steps: Step[] = [];
  const refused = await decide({ steps, method, client }, { ...options, manifests });
  steps.push(
    refused
      ? { step: 'decision', passed: false, detail: `refused with ${refused}`, code: refused }
      : { step: 'decision', passed: true, detail: 'allowed: the handler would be called' },
  );
  if (options.json) console.log(JSON.stringify({ ok: true, allowed: !refused, steps }, null, 2));
  else
    for (const { step, passed, detail } of steps)
      console.log(`${passed ? 'yes' : 'NO '} ${step}: ${detail}`);
  return refused ? EXIT.refused : EXIT.allowed;
}

/** The code of the refusal, or null. */
async function decide(
  found: Case,
  { user: who, url, manifests }: ExplainOptions & { readonly manifests: readonly Manifest[] },
): Promise<string | null> {
  const { steps, client } = found;
  const path = pathOf(url);
  if (!path.ok) return no(found, 'path', path.why, 'PATH_AMBIGUOUS');
  steps.push({ step: 'path', passed: true, detail: path.path });

  const match = routeOf(found, path.path, manifests);
  if (typeof match === 'string') return match;

  const user = await readUser(client, who);
  const role = user.role === null ? 'no role' : `role ${user.role}`;
  const detail = `${user.name} (${user.user}) of ${user.org}, ${role}, ${user.rights.size} rights`;
  steps.push({ step: 'user', passed: true, detail });

  const refused = await checkRights(found, match, user);
  return refused ?? askVcloud(found, match, { user, path: path.path });
}

/** Query and fragment play no part; an absolute address is cut to its path. */
function pathOf(url: string) {
  const bare = url.replace(/^https?:\/\/[^/?#]*/i, '').split(/[?#]/)[0] ?? '';
  return canonicalPath(bare);
}

function routeOf(found: Case, path: string, manifests: readonly Manifest[]): Match | string {
  const { steps, method } = found;
  let allowed: readonly string[] = [];
  for (const manifest of manifests) {
    const match = createRouteTable([{ target: null, routes: manifest.routes }])(method, path);
    if (match.kind === 'wrongMethod') allowed = match.allowed;
    if (match.kind !== 'found') continue;
    const { route } = match.route;
    const detail = `${route.method} ${route.path} of ${manifest.name} (${manifest.vcloud.namespace})`;
    steps.push({ step: 'route', passed: true, detail });
    return { manifest, route };
  }
  if (allowed.length > 0)
    return no(
      found,
      'route',
      `the path takes ${allowed.join(', ')}, not ${method}`,
      'METHOD_NOT_ALLOWED',
    );
  return no(found, 'route', 'no plug-in has such a path', 'ROUTE_NOT_FOUND');
}

async function checkRights(
  found: Case,
  { manifest, route }: Match,
  user: KnownUser,
): Promise<string | null> {
  const { steps, client } = found;
  if (route.rights.length === 0) {
    steps.push({ step: 'rights', passed: true, detail: 'the route needs none' });
    return null;
  }
  const { namespace } = manifest.vcloud;
  const urns = await resolveRights(client, { namespace, names: route.rights });
  for (const name of route.rights) {
    const urn = urns.get(name);
    if (urn === undefined)
      return no(
        found,
        'rights',
        `"${name}" is needed, and vCloud does not know it`,
        'RIGHTS_UNRESOLVED',
      );
    if (!user.rights.has(urn))
      return no(
        found,
        'rights',
        `"${name}" (${urn}) is needed, the role does not hold it`,
        'RIGHT_MISSING',
      );
    const held = `"${name}" (${urn}) is needed and held, as ${user.rights.get(urn)}`;
    steps.push({ step: 'rights', passed: true, detail: held });
  }
  return null;
}

async function askVcloud(
  found: Case,
  { manifest, route }: Match,
  { user, path }: { readonly user: KnownUser; readonly path: string },
): Promise<string | null> {
  const { steps, method, client } = found;
  const step = 'authorizationcheck';
  const when = route.authorizationCheck ?? manifest.authorizationCheck;
  if (!wantsCheck(manifest, route, method)) {
    steps.push({ step, passed: true, detail: `not asked: the manifest says ${when}` });
    return null;
  }
  const check = createAuthorizationCheck({ client });
  const { namespace: service } = manifest.vcloud;
  const verdict = await check.check({ service, org: user.org, user: user.user, method, path });
  if (verdict.kind === 'unavailable')
    return no(
      found,
      step,
      `vCloud could not be asked: ${verdict.reason}`,
      'AUTHORIZATION_UNAVAILABLE',
    );
  if (verdict.kind === 'denied')
    return no(
      found,
      step,
      'vCloud says no: no rule of the resource classes allows it',
      'AUTHORIZATION_DENIED',
    );
  steps.push({ step, passed: true, detail: 'vCloud says yes' });
  return null;
}

function no({ steps }: Case, step: Step['step'], detail: string, code: string): string {
  steps.push({ step, passed: false, detail, code });
  return code;
}
