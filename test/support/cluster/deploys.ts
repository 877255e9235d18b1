/**
 * Versions of one plug-in, from the upload until every host has them, as the hosts' logs tell.
 * May import: test/support.
 */
import { randomBytes } from 'node:crypto';

import { signedBundle, type TestOwner } from '../plugins/bundles.ts';
import type { CallSpec, ChaosReply } from '../chaos/client.ts';
import { waitFor } from '../wait.ts';
import type { ApiAnswer, ClusterHost, ClusterWorld } from './world.ts';

/** Where `signedBundle` has its route. */
export const DEMO = { method: 'GET', key: 'demo', path: '/api/demo' } as const;

/** As large as plug-ins with a library or two. */
const BYTES = 200_000;

/** A bundle of 200 KB that answers with its version. */
export function largeBundle({ key }: TestOwner, version: string): Buffer {
  const ballast = randomBytes((BYTES * 3) / 4).toString('base64');
  const script = `"use strict";const BALLAST="${ballast}";const VERSION=${JSON.stringify(version)};globalThis.__vcx_plugin={async fetch(){return new Response(VERSION)}};0`;
  return signedBundle({ key, version, script });
}

export async function upload(host: ClusterHost, bundle: Uint8Array): Promise<ApiAnswer> {
  return host.api('POST', '/plugins', bundle);
}

/** Ms from the upload until the last host has the version live. Throws when the upload is refused. */
export async function deploy(
  hosts: readonly ClusterHost[],
  through: ClusterHost,
  { bundle, version }: { bundle: Uint8Array; version: string },
): Promise<number> {
  const from = hosts.map(({ lines }) => lines.length);
  const began = Date.now();
  const { status, body } = await upload(through, bundle);
  if (status !== 201) throw new Error(`${through.name}: ${status} ${JSON.stringify(body)}`);
  const times = await Promise.all(
    hosts.map(async (host, index) => liveAt(host, version, from[index])),
  );
  return Math.max(...times) - began;
}

/** When the host made the version live, by its own log; waits for it. Epoch ms. */
export async function liveAt(host: ClusterHost, version: string, from = 0): Promise<number> {
  const event = new RegExp(
    `"plugin":"demo","version":"${RegExp.escape(version)}".*"plugin\\.live"`,
  );
  await host.says(event, from);
  const line = host.lines.slice(from).find((one) => event.test(one)) ?? '{}';
  return Date.parse((JSON.parse(line) as { time: string }).time);
}

/** Version of the plug-in `demo` that a host has live, and what it says of it. */
export async function stateOf(host: ClusterHost): Promise<{ version: string; reason: string }> {
  const { plugins } = (await host.status()) as {
    plugins: { name: string; version: string; reason: string }[];
  };
  const demo = plugins.find(({ name }) => name === 'demo');
  return { version: demo?.version ?? 'none', reason: demo?.reason ?? '' };
}

/** Calls until each of the hosts, which take turns, has answered one. */
export async function askAll(
  { client }: Pick<ClusterWorld, 'client'>,
  hosts: readonly ClusterHost[],
  spec: CallSpec,
): Promise<readonly ChaosReply[]> {
  const answered = async () => Promise.all(hosts.map((host) => host.metric('vcx_calls_total')));
  const before = await answered();
  const replies: ChaosReply[] = [];
  await waitFor(
    async () => {
      replies.push(await client.ask(spec));
      return (await answered()).every((count, index) => count > (before[index] ?? 0));
    },
    () => `${replies.length} replies, yet not from all of ${hosts.map(({ name }) => name).join()}`,
  );
  return replies;
}
