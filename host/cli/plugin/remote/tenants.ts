/**
 * `vcx plugin tenants`, `config`, `pin`, `limits`: what is set for orgs.
 * May import: everything.
 */
import type { PluginView, TenantView } from '../../../bundles/change/admin.ts';
import { HostError } from '../../../kernel/errors.ts';
import { LIMITS } from '../../../quotas/limits.ts';
import { parseJson, readText } from '../files.ts';
import type { Answer } from '../run.ts';
import type { Client } from './client.ts';
import { orgId, pluginPath, table } from './remote.ts';
import { readInput } from './secret-input.ts';

export interface OrgOption {
  readonly org: string;
}

interface Tenants {
  readonly orgs: PluginView['orgs'];
  readonly tenants: readonly TenantView[];
}

export async function tenants(
  client: Client,
  name: string,
  {
    all,
    none,
    only,
  }: { readonly all?: boolean; readonly none?: boolean; readonly only?: string[] },
): Promise<Answer> {
  const wanted = [all, none, only].filter(Boolean).length;
  if (wanted > 1) throw new HostError('CONFIG_INVALID', 'one of --all, --none and --only');
  const path = pluginPath(name, 'tenants');
  if (wanted === 1) await client.send('PUT', path, { orgs: all ? 'all' : (only ?? []).map(orgId) });
  const known = await client.get<Tenants>(path);
  const rows = known.tenants.map(({ org, enabled, version, config, limits, secrets }) => [
    org,
    enabled ? 'enabled' : 'disabled',
    version ?? 'current',
    config === null ? '' : 'configured',
    Object.entries(limits)
      .map(([key, value]) => `${key}=${value}`)
      .join(' '),
    secrets.length > 0 ? `secrets: ${secrets.map((secret) => secret.name).join(' ')}` : '',
  ]);
  const { orgs } = known;
  return {
    ok: true,
    text: [`orgs: ${orgs === 'all' ? 'all' : orgs.join(', ') || 'none'}`, ...table(rows)],
    json: { ...known },
  };
}

export async function config(
  client: Client,
  name: string,
  { org, set, clear = false }: OrgOption & { readonly set?: string; readonly clear?: boolean },
): Promise<Answer> {
  if (set !== undefined && clear)
    throw new HostError('CONFIG_INVALID', '--set or --clear, not both');
  const scope = ['tenants', orgId(org)];
  const path = pluginPath(name, ...scope, 'config');
  if (clear) await client.send('DELETE', path);
  if (set !== undefined) await client.send('PUT', path, await readJson(set));
  const tenant = await client.get<TenantView>(pluginPath(name, ...scope));
  return {
    ok: true,
    text: JSON.stringify(tenant.config, null, 2).split('\n'),
    json: { org: tenant.org, config: tenant.config },
  };
}

async function readJson(file: string): Promise<unknown> {
  return parseJson(file, file === '-' ? await readInput() : await readText(file));
}

export async function pin(
  client: Client,
  name: string,
  {
    org,
    version,
    none = false,
  }: OrgOption & { readonly version?: string; readonly none?: boolean },
): Promise<Answer> {
  if ((version === undefined) !== none)
    throw new HostError('CONFIG_INVALID', 'give --version V, or --none to take the pin away');
  const bare = orgId(org);
  const body = { version: version ?? null };
  await client.send('PUT', pluginPath(name, 'tenants', bare, 'version'), body);
  const what = version === undefined ? 'gets the current version' : `stays with ${version}`;
  return { ok: true, text: [`${bare} ${what}`], json: { name, org: bare, ...body } };
}

export async function limits(
  client: Client,
  name: string,
  { org, set, clear = false }: OrgOption & { readonly set?: string[]; readonly clear?: boolean },
): Promise<Answer> {
  const bare = orgId(org);
  const given = Object.fromEntries((set ?? []).map(readLimit));
  const tenant = pluginPath(name, 'tenants', bare);
  const before = clear ? {} : (await client.get<TenantView>(tenant)).limits;
  if (set !== undefined) await client.send('PUT', `${tenant}/limits`, { ...before, ...given });
  else if (clear) await client.send('DELETE', `${tenant}/limits`);
  const now = { ...before, ...given };
  const lines = Object.entries(now).map(([key, value]) => `${key} ${value}`);
  return {
    ok: true,
    text: lines.length > 0 ? lines : ['none of its own: those of the plug-in hold'],
    json: { name, org: bare, limits: now },
  };
}

function readLimit(text: string): [string, number] {
  const [, name = '', value = ''] = /^(\w+)=(\d{1,15})$/.exec(text) ?? [];
  if (!Object.hasOwn(LIMITS, name))
    throw new HostError(
      'CONFIG_INVALID',
      `--set ${text}: such as cpuMs=50; known are ${Object.keys(LIMITS).join(', ')}`,
    );
  return [name, Number(value)];
}
