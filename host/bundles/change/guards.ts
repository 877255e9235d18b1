/**
 * Which calls vCloud is asked about before a version answers them, as lines that can be compared like its asks.
 * May import: nothing.
 */
import type { Manifest } from '../manifest/manifest.ts';

const CHECK = 'authorization-check';
const CLOUD = 'vcloud-authorization';
/** Kind, answer, and of one call its path. */
const GUARD = new RegExp(`^(${CHECK}|${CLOUD}) (\\w+)(?: \\S+ (.*))?$`);

/**
 * What of its calls nobody is asked about. There is a line of each kind in any case, so that a list without one comes
 * from a time before this was written down.
 */
export function guardsOf({ vcloud, routes, authorizationCheck }: Manifest): readonly string[] {
  const open = routes.flatMap(({ method, path, authorizationCheck: own }) => {
    const when = own ?? authorizationCheck;
    if (when === 'never') return [`${method} ${path}`];
    const reads = when === 'writes' && ['GET', 'HEAD', '*'].includes(method);
    return reads ? [`${method === '*' ? 'GET' : method} ${path}`] : [];
  });
  const all = authorizationCheck === 'never' && open.length === routes.length;
  return [
    ...(all ? [`${CHECK} never`] : open.map((call) => `${CHECK} never ${call}`)),
    ...(open.length === 0 && !all ? [`${CHECK} always`] : []),
    `${CLOUD} ${vcloud.authorizationEnabled ? 'on' : 'off'}`,
  ];
}

/** Whether the line says that somebody is not asked any more who was; null for a line about anything else. */
export function loosens(line: string, allowed: ReadonlySet<string>): boolean | null {
  const [, kind, answer, path] = GUARD.exec(line) ?? [];
  if (kind === undefined) return null;
  const covering = [line, `${CHECK} never`, `${CHECK} never * ${path}`];
  if (answer !== 'never' && answer !== 'off') return false;
  if ((kind === CHECK ? covering : [line]).some((one) => allowed.has(one))) return false;
  return [...allowed].some((one) => one.startsWith(`${kind} `));
}

/** Each rule lets somebody do something, so that a change of one is a new one. Names of rules mean nothing to vCloud. */
export function aclLines({ resourceClasses = [] }: Manifest['vcloud']): string[] {
  return resourceClasses.flatMap(({ mimeType, resources = [], actions = [] }) => [
    ...resources.map(
      ({ name, org, externalObjectId }) =>
        `resource ${mimeType} ${name} ${externalObjectId} of ${org}`,
    ),
    ...actions.flatMap(({ httpMethod, urlPattern, aclRules = [] }) =>
      aclRules.map(({ serviceResource = 'shared', organization, principal }) =>
        [
          `acl-rule ${mimeType} ${httpMethod} ${urlPattern}`,
          `resource=${typeof serviceResource === 'string' ? serviceResource : `resource:${serviceResource.resource}`}`,
          `org=${typeof organization === 'string' ? organization : `org:${organization.org}`}`,
          `principal=${principalText(principal)}`,
        ].join(' '),
      ),
    ),
  ]);
}

type Classes = NonNullable<Manifest['vcloud']['resourceClasses']>;
type Rule = NonNullable<NonNullable<Classes[number]['actions']>[number]['aclRules']>[number];

function principalText(principal: Rule['principal']): string {
  if (typeof principal === 'string') return principal;
  return 'right' in principal ? `right:${principal.right}` : `user:${principal.user}`;
}
