/**
 * `vcx plugin pack`, `inspect`, `sign` and `verify`.
 * May import: everything.
 */
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { readBundle, type Bundle } from '../../bundles/archive/bundle.ts';
import { packBundle } from '../../bundles/archive/pack.ts';
import { readEnvelope, signBundle } from '../../bundles/trust/signature.ts';
import { readSigningKey } from '../../bundles/trust/keys.ts';
import { readTrust } from '../../bundles/trust/trust.ts';
import { verifyBundle } from '../../bundles/trust/verify.ts';
import { HostError } from '../../kernel/errors.ts';
import { readBundleFile, readText, writeWhole } from './files.ts';
import type { Answer, Progress } from './run.ts';

export async function pack(
  folder: string,
  { out }: { readonly out?: string },
  progress: Progress,
): Promise<Answer> {
  if (!(await stat(folder).catch(() => null))?.isDirectory())
    throw new HostError('CONFIG_INVALID', `${folder}: there is no such folder`);
  progress.show('bundling the script', 0.3);
  const { bytes, digest, sourceMap, manifest, files, warnings } = await packBundle(resolve(folder));
  const { name, version } = manifest;
  const file = out ?? join(folder, `${name}-${version}.vcx`);
  progress.show('writing', 0.9);
  await writeWhole(file, bytes);
  await writeWhole(`${file}.map`, sourceMap);
  return {
    ok: true,
    text: [
      ...warnings.map((warning) => `warning: ${warning}`),
      `${file}: ${name} ${version}, ${files.length} files, ${bytes.length} bytes`,
      `digest ${digest}`,
      `source map ${file}.map (yours: it is not in the bundle)`,
    ],
    json: { file, name, version, digest, bytes: bytes.length, files, warnings },
  };
}

export async function inspect(file: string): Promise<Answer> {
  const bundle = readBundle(await readBundleFile(file));
  const { manifest, digest, files, hashes } = bundle;
  const list = [...files].map(([path, content]) => ({
    path,
    bytes: content.byteLength,
    sha256: hashes[path] ?? '',
  }));
  const signedBy = signersOf(bundle);
  const {
    name,
    version,
    description,
    vcloud,
    routes,
    bindings,
    limits,
    isolation,
    callsPerIsolate,
  } = manifest;
  return {
    ok: true,
    text: [
      `${name} ${version}${description ? `: ${description}` : ''}`,
      `digest     ${digest}`,
      `signed by  ${signedBy.join(', ') || 'nobody'} (\`vcx plugin verify\` says whether it holds)`,
      `service    ${vcloud.namespace}, ${vcloud.exchange} / ${vcloud.routingKey}`,
      ...routes.map(
        ({ method, path, rights }) =>
          `route      ${method} ${path}${rights.length > 0 ? ` (${rights.join(', ')})` : ''}`,
      ),
      `bindings   ${bindings.join(', ') || 'none'}`,
      `limits     ${
        Object.entries(limits)
          .map(([key, value]) => `${key} ${value}`)
          .join(', ') || 'the defaults'
      }; isolation ${isolation}; calls in an isolate ${callsPerIsolate}`,
      ...list.map(({ path, bytes, sha256 }) => `file       ${path}  ${bytes}  ${sha256}`),
    ],
    json: { manifest, digest, signedBy, files: list },
  };
}

/** Ids of the keys that the envelope names, whether the signatures hold or not. */
function signersOf(bundle: Bundle): string[] {
  if (!bundle.signature) return [];
  return readEnvelope(bundle, bundle.signature).signatures.map(({ keyid }) => keyid);
}

export async function sign(
  file: string,
  options: { readonly key: string; readonly counter?: boolean; readonly out?: string },
): Promise<Answer> {
  const key = readSigningKey(await readText(options.key));
  const signed = signBundle(await readBundleFile(file), { key, counter: options.counter ?? false });
  const out = options.out ?? file;
  await writeWhole(out, signed);
  const { digest } = readBundle(signed);
  const how = options.counter ? 'countersigned' : 'signed';
  return {
    ok: true,
    text: [`${out}: ${how} with the key ${key.keyId}`, `digest ${digest}`],
    json: { file: out, digest, keyId: key.keyId },
  };
}

export async function verify(file: string, options: { readonly trust?: string }): Promise<Answer> {
  const store = options.trust ?? process.env['VCX_TRUST_FILE'];
  if (!store)
    throw new HostError('CONFIG_INVALID', 'give the trust store: --trust FILE or VCX_TRUST_FILE');
  const trust = await readTrust(store);
  const bundle = readBundle(await readBundleFile(file));
  const { digest } = bundle;
  const { name, version } = bundle.manifest;
  const verdict = verifyBundle(bundle, trust, Date.now());
  if (!verdict.ok) {
    const { code, message } = verdict;
    return {
      ok: false,
      text: [`${file}: REFUSED: ${code}: ${message}`],
      json: { code, message, digest },
    };
  }
  const { owner, providerSigned, keyIds, notAfter } = verdict;
  const until = new Date(notAfter).toISOString();
  return {
    ok: true,
    text: [
      `${file}: ${name} ${version} is whole, and published by ${owner.id} (${owner.kind})`,
      `digest ${digest}`,
      `keys ${keyIds.join(', ')}; valid until ${until}${providerSigned ? '; the provider signed it' : ''}`,
    ],
    json: { name, version, digest, owner, providerSigned, keyIds, notAfter: until },
  };
}
