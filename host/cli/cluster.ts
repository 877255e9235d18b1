/**
 * `vcx cluster status`: the hosts that share one state, as the host that is asked sees them.
 * May import: everything.
 */
import type { Command } from 'commander';

import type {
  ClusterLeaseView,
  ClusterMemberView,
  ClusterPluginView,
  ClusterView,
} from '../operator/api/cluster.ts';
import type { Client } from './plugin/remote/client.ts';
import { command } from './plugin/remote/commands.ts';
import type { RemoteOptions } from './plugin/remote/endpoint.ts';
import { remote, table } from './plugin/remote/remote.ts';
import type { Answer } from './plugin/run.ts';

type Configured = Extract<ClusterView, { configured: true }>;

/** Add `vcx cluster`. */
export function clusterCommands(program: Command): void {
  const cluster = program.command('cluster').description('several hosts on one state');
  command(
    cluster,
    'status',
    'who is alive, who does what for all, what each runs; exit 0 when all is well, 1 when not or alone',
  ).action((options: RemoteOptions) => remote(options, status));
}

async function status(client: Client): Promise<Answer> {
  const view = await client.get<ClusterView>('/cluster');
  if (!view.configured)
    return {
      ok: false,
      text: ['this host works alone: no cluster.servers are configured'],
      json: { ...view },
    };
  return { ok: view.problems.length === 0, text: describe(view), json: { ...view } };
}

function describe({ link, members, leases, problems }: Configured): string[] {
  const nats = link.reason ?? `${link.server ?? ''} ${link.serverVersion ?? ''}`;
  return [
    `NATS: ${nats}, ${link.reconnects} reconnects`,
    ...section(['HOST', 'STATE', 'SEEN', 'PID', 'STARTED'], members.map(memberRow)),
    ...section(['LEASE', 'HOLDER', 'TOKEN'], leases.map(leaseRow)),
    ...pluginSection(members),
    '',
    ...(problems.length > 0 ? problems.map((line) => `problem: ${line}`) : ['all is well']),
  ];
}

function section(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return rows.length > 0 ? ['', ...table([head, ...rows])] : [];
}

function memberRow({ name, alive, replaced, silentMs, self, about }: ClusterMemberView): string[] {
  const state = alive ? 'alive' : replaced ? 'replaced' : 'dead';
  const seen = `${(silentMs / 1_000).toFixed(1)} s ago`;
  return [
    self ? `${name} (asked)` : name,
    state,
    seen,
    cell(about['pid']),
    cell(about['startedAt']),
  ];
}

/** Hosts tell what they like. */
function cell(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '-';
}

function leaseRow({ name, holder, token }: ClusterLeaseView): string[] {
  return [name, holder ?? 'nobody', token === null ? '-' : String(token)];
}

/** A column for each host that is alive. */
function pluginSection(members: readonly ClusterMemberView[]): string[] {
  const hosts = members.filter(({ alive }) => alive);
  const all = hosts.flatMap(({ plugins }) => plugins ?? []);
  const names = [...new Set(all.map(({ name }) => name))].toSorted();
  const rows = names.map((name) => {
    const wanted = all.find((plugin) => plugin.name === name)?.wanted ?? '-';
    const found = hosts.map(({ plugins }) => plugins?.find((plugin) => plugin.name === name));
    return [name, wanted].concat(found.map(versionCell));
  });
  return section(['PLUG-IN', 'WANTED', ...hosts.map(({ name }) => name)], rows);
}

function versionCell(plugin: ClusterPluginView | undefined): string {
  if (!plugin) return '-';
  const { version, state, behind, reason } = plugin;
  const shown = state === 'live' ? (version ?? '-') : state;
  return behind || reason !== null ? `${shown} !` : shown;
}
