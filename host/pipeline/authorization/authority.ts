/**
 * Asks vCloud about those calls for which the manifest wants it; what can not be asked is refused.
 * May import: kernel, message, bundles.
 */
import type { Manifest, ManifestRoute } from '../../bundles/manifest/manifest.ts';
import type { AuthorizationCheck, Question, Verdict } from './check.ts';
import type { AuthorizationAuthority } from './authorize.ts';
import { refuse, type Refusal } from '../refusal.ts';

/** Whether this route asks vCloud about calls with this method. */
export function wantsCheck(
  manifest: Pick<Manifest, 'authorizationCheck'>,
  route: Pick<ManifestRoute, 'authorizationCheck'>,
  method: string,
): boolean {
  const when = route.authorizationCheck ?? manifest.authorizationCheck;
  return when === 'always' || (when === 'writes' && method !== 'GET' && method !== 'HEAD');
}

/** `check` is null where no vCloud is configured: then every call that wants it is refused. */
export function createAuthority(check: AuthorizationCheck | null): AuthorizationAuthority {
  return {
    async ask(call, { plugin: { manifest }, route }, deadline) {
      if (!wantsCheck(manifest, route, call.method)) return null;
      if (!check) return refusalOf({ kind: 'unavailable', reason: 'no vCloud is configured' });
      const question: Question = {
        service: manifest.vcloud.namespace,
        plugin: manifest.name,
        org: call.identity.org,
        user: call.identity.user,
        method: call.method,
        path: call.path,
      };
      const ms = Math.max(0, Math.floor(deadline - performance.now()));
      return refusalOf(await check.check(question, AbortSignal.timeout(ms)));
    },
  };
}

function refusalOf(verdict: Verdict): Refusal | null {
  if (verdict.kind === 'allowed') return null;
  if (verdict.kind === 'unavailable')
    return refuse('AUTHORIZATION_UNAVAILABLE', verdict.reason, { retryAfterS: 2 });
  return refuse('AUTHORIZATION_DENIED', 'the rules of this service do not allow this call');
}
