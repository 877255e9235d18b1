/**
 * Proves that an object of vCloud belongs to an org, by asking vCloud; what can not be proven is somebody else's.
 * May import: kernel, message, vcloud.
 */
import { systemClock, type Clock } from '../../kernel/time.ts';
import { parseXml, type XmlNode } from '../../message/xml/tree.ts';
import type { Grant } from '../binding.ts';
import { orgUuid, type VcloudAccess } from './access.ts';
import { objectOf, uuidsIn } from './references.ts';

export interface Ownership {
  /**
   * Whether the object at this path is the calling org's. A tenant context alone proves nothing, since a cell may
   * let a system administrator read beyond it: the object itself must lead up to the org.
   */
  proves(grant: Grant, object: string, signal?: AbortSignal): Promise<boolean>;
}

/** An object leads to its org in so many steps: vm, vApp, vdc, org. */
const STEPS = 4;
/** How long a proof holds, ms: objects hardly ever change their org. */
const HOLDS_MS = 30_000;
const PROOFS = 5_000;
/** Paths whose id is the org's own. */
const OF_ORG = /^\/api\/(?:(?:admin\/)?org|tasksList)\//;

export function createOwnership(access: VcloudAccess, clock: Clock = systemClock): Ownership {
  const proofs = new Map<string, number>();

  async function leadsUp(
    grant: Grant,
    object: string,
    { steps, signal }: { steps: number; signal: AbortSignal | undefined },
  ): Promise<boolean> {
    if (OF_ORG.test(object)) return uuidsIn(object)[0] === orgUuid(grant);
    if (steps === 0) return false;
    const answer = await access.send(grant, { method: 'GET', path: object }, signal);
    if (answer.status !== 200) return false;
    const owners = ownersOf(answer.body);
    if (owners.length === 0) return false;
    // All of them: an object that leads to two orgs is not clearly anybody's.
    for (const owner of owners)
      if (!(await leadsUp(grant, owner, { steps: steps - 1, signal }))) return false;
    return true;
  }

  return {
    async proves(grant, object, signal) {
      const key = `${orgUuid(grant)} ${object.toLowerCase()}`;
      const until = proofs.get(key);
      if (until !== undefined && clock.monotonic() < until) return true;
      proofs.delete(key);
      if (!(await leadsUp(grant, object, { steps: STEPS, signal }))) return false;
      proofs.set(key, clock.monotonic() + HOLDS_MS);
      const oldest = proofs.keys().next().value;
      if (proofs.size > PROOFS && oldest !== undefined) proofs.delete(oldest);
      return true;
    },
  };
}

/** Where an object's document leads up to: its `up` links, or the organization of a task. */
function ownersOf(body: Uint8Array): string[] {
  let root: XmlNode;
  try {
    root = parseXml(body);
  } catch {
    return [];
  }
  const owners = root.children
    .filter(({ name, attributes }) =>
      name === 'Link' ? attributes.get('rel') === 'up' : name === 'Organization',
    )
    .map(({ attributes }) => objectOf(attributes.get('href') ?? ''));
  return owners.every((owner) => owner !== null) ? owners : [];
}
