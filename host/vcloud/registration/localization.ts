/**
 * Uploads the texts of a service: announce the size, then PUT the archive where vCloud says.
 * May import: message, vcloud.
 */
import { createHash } from 'node:crypto';
import { decodeXml, mediaTypeOf } from '../../message/xml/documents.ts';
import type { VcloudClient } from '../client.ts';
import { findLink } from '../links.ts';
import type { LocalizationSpec } from '../service-spec.ts';
import { encodeZip } from './zip.ts';

export interface LocalizationUpload {
  /** Address of the service. */
  readonly service: string;
  readonly namespace: string;
  readonly localization: LocalizationSpec;
  readonly signal?: AbortSignal;
}

/** Uploading again merges by key, so this may be repeated. */
export async function uploadLocalization(
  client: VcloudClient,
  { service, namespace, localization, signal }: LocalizationUpload,
): Promise<void> {
  const options = signal ? { signal } : {};
  const archive = archiveOf(localization);
  const { Link } = await client.getXml('Service', service, options);
  const path =
    findLink(Link, 'bundle:upload', mediaTypeOf('BundleUploadParams')) ??
    `${service}/localizationbundles`;
  const value = { fileSize: archive.length, serviceNamespace: namespace };
  const announced = { name: 'BundleUploadParams', value } as const;
  const answer = await client.sendXml('POST', path, announced, options);
  const { uploadLocation } = decodeXml('BundleUploadSocket', answer.body);
  await client.request('PUT', uploadLocation ?? '', {
    ...options,
    body: archive,
    type: 'application/octet-stream',
    accept: '*/*',
  });
}

/** Equal for equal texts, whatever the order of the files. */
export function localizationDigest(localization: LocalizationSpec): string {
  return createHash('sha256').update(archiveOf(localization)).digest('hex');
}

function archiveOf({ files }: LocalizationSpec): Buffer {
  const sorted = Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1));
  return encodeZip(Object.fromEntries(sorted));
}
