/**
 * Localization bundles: announced, received in one or several parts, and merged by key.
 * May import: fault, zip.
 */
import { randomUUID } from 'node:crypto';

import { VcloudFault } from '../../documents/fault.ts';
import { ZipFault, readZip } from './zip.ts';

/** A bundle whose archive has arrived whole. */
export interface Bundle {
  readonly serviceNamespace: string;
  /** Uuid of the service; undefined for one that was uploaded for none. */
  readonly service: string | undefined;
  readonly archive: Buffer;
  /** By the name of the file in the archive, the last upload first to win: key to text. */
  readonly files: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

interface Upload {
  readonly serviceNamespace: string;
  readonly service: string | undefined;
  readonly bytes: Buffer;
  /** Bytes from the start that are there. */
  received: number;
}

export interface BundleDesk {
  readonly bundles: Bundle[];
  readonly uploads: Map<string, Upload>;
}

export const createBundleDesk = (): BundleDesk => ({ bundles: [], uploads: new Map() });

const MAX_ARCHIVE_BYTES = 16 * 1024 * 1024;
const MAX_UPLOADS = 100;

const refuse = (message: string) => new VcloudFault(400, message);

/** Announce an archive of that many bytes; returns the id of the transfer. */
export function announceBundle(
  desk: BundleDesk,
  told: { readonly fileSize: number; readonly serviceNamespace: string; readonly service?: string },
): string {
  const { fileSize, serviceNamespace, service } = told;
  if (!Number.isInteger(fileSize) || fileSize < 1 || fileSize > MAX_ARCHIVE_BYTES)
    throw refuse(`BundleUploadParams: fileSize must be between 1 and ${MAX_ARCHIVE_BYTES}`);
  // Announced and never sent: the oldest give way.
  const [oldest] = desk.uploads.keys();
  if (desk.uploads.size >= MAX_UPLOADS && oldest !== undefined) desk.uploads.delete(oldest);
  const id = randomUUID();
  const bytes = Buffer.alloc(fileSize);
  desk.uploads.set(id, { serviceNamespace, service, bytes, received: 0 });
  return id;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** `bytes 0-99/537`; without the header, the body is the whole file. */
function rangeOf(header: string | undefined, length: number, size: number): Range {
  if (header === undefined) return { start: 0, end: length };
  const [, start, end, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(header.trim()) ?? [];
  if (start === undefined || (total !== '*' && Number(total) !== size))
    throw refuse(`Content-Range '${header}' does not fit a file of ${size} bytes`);
  return { start: Number(start), end: Number(end) + 1 };
}

/** Take a part of a file, or all of it; the bundle is read when the last byte is there. */
export function receivePart(
  desk: BundleDesk,
  id: string,
  part: { readonly body: Buffer; readonly range: string | undefined },
): void {
  const upload = desk.uploads.get(id);
  if (!upload) throw new VcloudFault(404, 'There is no transfer at this address');
  const { body } = part;
  const { start, end } = rangeOf(part.range, body.length, upload.bytes.length);
  if (end - start !== body.length || end > upload.bytes.length || start > upload.received)
    throw refuse(
      `bytes ${start} to ${end} with a body of ${body.length} do not go on at ${upload.received} of ${upload.bytes.length}`,
    );
  if (part.range === undefined && body.length !== upload.bytes.length)
    throw refuse(`${upload.bytes.length} bytes were announced, ${body.length} came`);
  body.copy(upload.bytes, start);
  upload.received = Math.max(upload.received, end);
  if (upload.received < upload.bytes.length) return;
  desk.uploads.delete(id);
  desk.bundles.push(bundleFrom(upload));
}

function bundleFrom({ bytes, serviceNamespace, service }: Upload): Bundle {
  try {
    const files = [...readZip(bytes)].map(([name, text]) => [name, linesIn(text)] as const);
    return { serviceNamespace, service, archive: bytes, files: new Map(files) };
  } catch (error) {
    if (error instanceof ZipFault) throw refuse(`The bundle is no ZIP archive: ${error.message}`);
    throw error;
  }
}

/** Lines of `key=value`; blank ones and those that start with `#` say nothing. */
function linesIn(text: string): Map<string, string> {
  const pairs = text
    .split(/\r?\n/)
    .filter((line) => line.includes('=') && !line.trimStart().startsWith('#'))
    .map((line) => {
      const at = line.indexOf('=');
      return [line.slice(0, at).trim(), line.slice(at + 1).trim()] as const;
    });
  return new Map(pairs);
}

export interface Localization {
  readonly serviceNamespace: string;
  /** The file's name without folder and ending. */
  readonly locale: string;
  readonly key: string;
  readonly value: string;
}

/** All texts, a later upload over an earlier one by key. */
export function localizations(desk: BundleDesk): Localization[] {
  const merged = new Map<string, Localization>();
  for (const { serviceNamespace, files } of desk.bundles)
    for (const [name, pairs] of files) {
      const locale = name.replace(/^.*\//s, '').replace(/\.[^.]*$/, '');
      for (const [key, value] of pairs)
        merged.set(JSON.stringify([serviceNamespace, locale, key]), {
          serviceNamespace,
          locale,
          key,
          value,
        });
    }
  return [...merged.values()];
}

/** Drop the bundles of services that are gone. */
export function clearUnusedBundles(desk: BundleDesk, isThere: (service: string) => boolean): void {
  const kept = desk.bundles.filter(({ service }) => service === undefined || isThere(service));
  desk.bundles.splice(0, desk.bundles.length, ...kept);
}
