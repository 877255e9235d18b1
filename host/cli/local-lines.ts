/**
 * Lines that are printed when a local cloud is up: calls to copy, and who may make them.
 * May import: everything.
 */
import type { LocalCloudInfo } from './local-cloud.ts';
import { signIn } from './sign-in.ts';

/** Calls of the example plug-ins by a user who may make them, with a token of theirs. */
export async function callLines(info: LocalCloudInfo): Promise<readonly string[]> {
  const cell = info.cells[0]?.url ?? '';
  const org = info.orgs[0];
  const user = org?.users.find((candidate) => candidate.rights === 'all');
  if (!org || !user) return [];
  const token = await signIn(cell, `${user.name}@${org.name}`, user.password);
  const bare = org.id.split(':').at(-1);
  const auth = `-H 'x-vcloud-authorization: ${token}'`;
  const { provider } = info;
  const administrator = await signIn(cell, `${provider.user}@System`, provider.password);
  const event = { type: 'com/vmware/vcloud/event/vm/create', org: org.name };
  return [
    '',
    `Ready. In another terminal, as ${user.name} of the org ${org.name}:`,
    '',
    `  curl -s ${auth} '${cell}/api/hello?name=you'`,
    `  curl -s ${auth} -X POST -d '{"name":"first"}' '${cell}/api/org/${bare}/backups'`,
    `  curl -s ${auth} '${cell}/api/org/${bare}/backups'`,
    '',
    "What happens in the cloud is an event, and in the org's audit log; any event can be made up:",
    '',
    `  curl -s -H 'x-vcloud-authorization: ${administrator}' -d '${JSON.stringify(event)}' '${cell}/_local/events'`,
    `  curl -s ${auth} '${cell}/api/org/${bare}/audit'`,
  ];
}

const RIGHTS = {
  all: 'all rights of the plug-ins',
  view: 'only the rights to view',
  none: 'no rights of the plug-ins',
};

export function userLines({ orgs, provider }: LocalCloudInfo): readonly string[] {
  return [
    'Other users (password in brackets):',
    ...orgs.flatMap(({ name, users }) =>
      users.map((one) => `  ${one.name}@${name} [${one.password}]: ${RIGHTS[one.rights]}`),
    ),
    `  ${provider.user} [${provider.password}]: system administrator`,
  ];
}

export function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@]*@/, '//');
}
