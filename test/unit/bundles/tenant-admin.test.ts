import { expect, test } from 'vitest';

import {
  createTenantAdmin,
  type TenantAdminOptions,
} from '../../../host/bundles/change/tenant-admin.ts';
import { createTurns } from '../../../host/bundles/live/turns.ts';

const org = (n: number) => `urn:vcloud:org:00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const OPERATOR = { who: 'operator', owner: null };
const OWNER = { who: 'token:acme', owner: 'acme' };

/** Of a plug-in that settings of so many orgs are kept for. */
function admin(orgs: number) {
  const set: string[] = [];
  const known = Array.from({ length: orgs }, (_, n) => org(n));
  const tenants = {
    orgsOf: () => known,
    setSecret: async (scope: { org: string }) => void set.push(scope.org),
  };
  const view = async () => ({ owner: 'acme', ownerKind: 'provider' });
  const options = { tenants, view, turns: createTurns() } as unknown as TenantAdminOptions;
  return { set, ...createTenantAdmin(options) };
}

test('an owner can not make up orgs without number, the operator may have as many as there are', async () => {
  const { set, setSecret } = admin(5_000);
  const secret = { name: 'k', value: 'v' };
  const scope = (n: number) => ({ plugin: 'p', org: org(n) });
  await setSecret(scope(4_999), secret, OWNER);
  await expect(setSecret(scope(5_000), secret, OWNER)).rejects.toMatchObject({
    code: 'TENANT_INVALID',
  });
  await setSecret(scope(5_000), secret, OPERATOR);
  expect(set).toEqual([org(4_999), org(5_000)]);
  await admin(4_999).setSecret(scope(9_999), secret, OWNER);
});
