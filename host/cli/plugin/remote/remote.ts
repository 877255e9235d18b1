/**
 * What all commands that talk to a running host share.
 * May import: everything.
 */
import { HostError } from '../../../kernel/errors.ts';
import { printable } from '../../../kernel/printable.ts';
import { answer, type Answer, type Progress } from '../run.ts';
import { createClient, type Client } from './client.ts';
import { findEndpoint, isLoopback, type RemoteOptions } from './endpoint.ts';

/** Find the host, run the command, print its answer: whatever is shown comes from strangers. */
export function remote(
  options: RemoteOptions,
  command: (client: Client, progress: Progress) => Promise<Answer>,
): Promise<void> {
  return answer(options, async (progress) => {
    const { text, ...rest } = await command(openClient(options), progress);
    return { ...rest, text: text.map(printable) };
  });
}

/** Throws CONFIG_INVALID when it is not known where the host is. */
export function openClient(options: RemoteOptions): Client {
  const endpoint = findEndpoint(options, { env: process.env, cwd: process.cwd() });
  if (endpoint.url.protocol === 'http:' && !isLoopback(endpoint.url))
    console.error(`vcx: warning: the token goes to ${endpoint.url.host} without encryption`);
  return createClient(endpoint);
}

const UUID = /^(?:urn:vcloud:org:)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;

/** Bare id of an org that was named by id or URN. Throws CONFIG_INVALID. */
export function orgId(text: string): string {
  const [, bare] = UUID.exec(text) ?? [];
  if (bare) return bare.toLowerCase();
  throw new HostError('CONFIG_INVALID', '--org: the id of an org, a UUID or urn:vcloud:org:UUID');
}

/** Path below the API of a plug-in, or of what an org has of it. */
export function pluginPath(name: string, ...rest: readonly string[]): string {
  return ['/plugins', name, ...rest]
    .map((part, i) => (i ? encodeURIComponent(part) : part))
    .join('/');
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  const shown = rows.map((row) => row.map(printable));
  for (const row of shown)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return shown.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

export function time(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
