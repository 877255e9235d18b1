/**
 * `vcx plugin deploy`: pack if it is a folder, sign if there is a key, upload, and say what comes next.
 * May import: everything.
 */
import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';

import { packBundle } from '../../../bundles/archive/pack.ts';
import type { Uploaded } from '../../../bundles/change/admin.ts';
import { readSigningKey } from '../../../bundles/trust/keys.ts';
import { signBundle } from '../../../bundles/trust/signature.ts';
import { HostError } from '../../../kernel/errors.ts';
import { readBundleFile, readText } from '../files.ts';
import type { Answer, Progress } from '../run.ts';
import { commandName } from '../sdk.ts';
import type { Client } from './client.ts';
import type { RemoteOptions } from './endpoint.ts';

export interface DeployOptions extends RemoteOptions {
  readonly key?: string;
  readonly force?: boolean;
  readonly approve?: boolean;
}

interface Cargo {
  readonly bundle: Buffer;
  /** Of main.js; null when there is none beside the file. */
  readonly sourceMap: Buffer | null;
  readonly warnings: readonly string[];
}

export async function deploy(
  client: Client,
  given: string,
  { key, force = false, approve = false }: DeployOptions,
  progress: Progress,
): Promise<Answer> {
  const cargo = await load(given, progress);
  const { sourceMap, warnings } = cargo;
  const bundle = key === undefined ? cargo.bundle : await signed(cargo.bundle, key);
  const uploaded = await client.upload<Uploaded>({
    path: `/plugins?force=${Number(force)}&approve=${Number(approve)}`,
    ...encodeForm({ bundle, ...(sourceMap ? { sourceMap } : {}) }),
    onProgress: (share) =>
      progress.show(share < 1 ? 'uploading' : 'the host is trying the new version', share),
  });
  const { name, version, digest, state, asks } = uploaded;
  const next = state === 'waiting' ? `${commandName()} plugin approve ${name} ${version}` : null;
  return {
    ok: true,
    text: [
      ...warnings.map((warning) => `warning: ${warning}`),
      `${name} ${version} ${SAYS[state]}`,
      ...(state === 'waiting' ? asks.map((ask) => `  + ${ask}`) : []),
      `digest ${digest}`,
      ...(next === null ? [] : [`next: ${next}`]),
    ],
    json: { ...uploaded, bytes: bundle.length, sourceMap: sourceMap !== null, warnings, next },
  };
}

const SAYS = {
  live: 'is live',
  same: 'is live, and was before',
  disabled: 'is installed, but the plug-in is disabled',
  waiting: 'waits for approval: it asks for more than the operator allowed',
} as const satisfies Record<Uploaded['state'], string>;

async function load(given: string, progress: Progress): Promise<Cargo> {
  const path = resolve(given);
  const known = await stat(path).catch(() => null);
  if (!known) throw new HostError('CONFIG_INVALID', `${given}: there is no such file or folder`);
  if (!known.isDirectory()) {
    const sourceMap = await readFile(`${path}.map`).catch(() => null);
    return { bundle: await readBundleFile(path), sourceMap, warnings: [] };
  }
  progress.show('bundling the script');
  const { bytes, sourceMap, warnings } = await packBundle(path);
  return { bundle: bytes, sourceMap: Buffer.from(sourceMap), warnings };
}

async function signed(bundle: Buffer, file: string): Promise<Buffer> {
  return signBundle(bundle, { key: readSigningKey(await readText(file)), counter: false });
}

/** `multipart/form-data` (RFC 7578). */
function encodeForm(parts: Readonly<Record<string, Buffer>>): { type: string; body: Buffer } {
  const boundary = `vcx-${randomBytes(16).toString('hex')}`;
  const pieces = Object.entries(parts).flatMap(([name, content]) => [
    Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="${name}"\r\n` +
        'Content-Type: application/octet-stream\r\n\r\n',
    ),
    content,
    Buffer.from('\r\n'),
  ]);
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    body: Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]),
  };
}
