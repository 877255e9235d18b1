/**
 * `vcx plugin list`, `show`, `approve`, `rollback`, `enable`, `disable`, `remove`: what the host has installed.
 * May import: everything.
 */
import type { PluginView } from '../../../bundles/change/admin.ts';
import { HostError } from '../../../kernel/errors.ts';
import type { Answer } from '../run.ts';
import { commandName } from '../sdk.ts';
import type { Client } from './client.ts';
import { orgId, pluginPath, table, time } from './remote.ts';

export async function list(client: Client): Promise<Answer> {
  const { plugins } = await client.get<{ plugins: PluginView[] }>('/plugins');
  const rows = plugins.map((view) => [
    view.name,
    view.current ?? '-',
    view.state,
    view.owner,
    view.orgs === 'all' ? 'all' : String(view.orgs.length),
    noteOf(view),
  ]);
  const head = ['NAME', 'VERSION', 'STATE', 'OWNER', 'ORGS', ''];
  return {
    ok: true,
    text: rows.length > 0 ? table([head, ...rows]) : ['no plug-in is installed'],
    json: { plugins },
  };
}

function noteOf({ waiting, reason }: PluginView): string {
  if (waiting) return `${waiting.version} waits for approval`;
  return reason ?? '';
}

export async function show(client: Client, name: string): Promise<Answer> {
  const view = await client.get<PluginView>(pluginPath(name));
  return { ok: true, text: describe(view), json: { plugin: view } };
}

function describe(view: PluginView): string[] {
  const { name, current, state, description, owner, ownerKind, source, orgs, reason } = view;
  const versions = view.versions.map(({ version, digest, installedAt, by, ...rest }) => [
    version === current ? '*' : ' ',
    version,
    rest.live ? 'live' : '',
    rest.unsigned ? 'unsigned' : '',
    time(installedAt),
    by,
    digest,
  ]);
  return [
    `${name} ${current ?? '(no version yet)'}: ${state}${description ? `; ${description}` : ''}`,
    `owner     ${owner} (${ownerKind}), from a ${source}`,
    `orgs      ${orgs === 'all' ? 'all' : orgs.join(', ') || 'none'}`,
    ...(reason === null ? [] : [`reason    ${reason}`]),
    ...waitingLines(view),
    ...(versions.length > 0 ? ['versions', ...table(versions)] : []),
  ];
}

function waitingLines({ name, waiting }: PluginView): string[] {
  if (!waiting) return [];
  return [
    `waiting   ${waiting.version}; beyond what is allowed it asks for:`,
    ...waiting.asks.map((ask) => `  + ${ask}`),
    `next      ${commandName()} plugin approve ${name} ${waiting.version}`,
  ];
}

/** Without a version, the one that waits; what is shown is what is approved. */
export async function approve(
  client: Client,
  name: string,
  version: string | undefined,
  { dryRun = false }: { readonly dryRun?: boolean },
): Promise<Answer> {
  const { waiting, current, versions } = await client.get<PluginView>(pluginPath(name));
  if (!waiting || (version !== undefined && waiting.version !== version))
    throw new HostError(
      'PLUGIN_UNKNOWN',
      `${name}: ${version ?? 'no version'} ${version ? 'does not wait' : 'waits'} for approval`,
    );
  const difference = [
    `${name} ${waiting.version} asks for, beyond what ${current ?? 'nobody'} may:`,
    ...waiting.asks.map((ask) => `  + ${ask}`),
  ];
  const json = { name, version: waiting.version, asks: waiting.asks };
  if (dryRun) return { ok: true, text: difference, json: { ...json, approved: false } };
  const path = pluginPath(name, 'approve');
  const digest = versions.find((one) => one.version === waiting.version)?.digest;
  const view = await client.send<PluginView>('POST', path, { version: waiting.version, digest });
  return {
    ok: true,
    text: [...difference, `approved: ${name} ${view.current} is ${view.state}`],
    json: { ...json, approved: true, plugin: view },
  };
}

export async function rollback(client: Client, name: string, version?: string): Promise<Answer> {
  const body = version === undefined ? {} : { version };
  const view = await client.send<PluginView>('POST', pluginPath(name, 'rollback'), body);
  return { ok: true, text: [`${name} ${view.current} is ${view.state}`], json: { plugin: view } };
}

/** For everybody, or for one org alone. */
export async function setEnabled(
  client: Client,
  name: string,
  enabled: boolean,
  { org }: { readonly org?: string },
): Promise<Answer> {
  const verb = enabled ? 'enable' : 'disable';
  if (org === undefined) {
    const view = await client.send<PluginView>('POST', pluginPath(name, verb));
    return { ok: true, text: [`${name} is ${view.state}`], json: { plugin: view } };
  }
  const bare = orgId(org);
  await client.send('POST', pluginPath(name, 'tenants', bare, verb));
  return {
    ok: true,
    text: [`${name} is ${verb}d for ${bare}`],
    json: { name, org: bare, enabled },
  };
}

export async function remove(
  client: Client,
  name: string,
  { yes = false }: { readonly yes?: boolean },
): Promise<Answer> {
  if (!yes)
    throw new HostError(
      'CONFIG_INVALID',
      `all versions, settings and secrets of ${name} go with it: say --yes to mean it`,
    );
  await client.send('DELETE', pluginPath(name));
  return { ok: true, text: [`${name} is removed`], json: { name } };
}
