/**
 * The container of a bundle: a ZIP archive that exists in exactly one form for the same files.
 * May import: kernel, vcloud.
 *
 * Entries are stored, not deflated: deflate has many encodings of the same bytes, so a changed byte could go unseen,
 * and what is not inflated can not be a bomb. The reader looks at as much as it needs to find the files, writes the
 * archive anew from them and compares: whatever has no meaning (gaps, comments, extra fields, dates, attributes such
 * as links, a second directory) has no place either.
 */
import { isUtf8 } from 'node:buffer';

import { HostError } from '../../kernel/errors.ts';
import { encodeZip } from '../../vcloud/registration/zip.ts';
import { checkCollisions, checkEntryName } from './names.ts';

export interface ArchiveCaps {
  /** The whole archive, bytes. @default 33554432 */
  readonly archiveBytes?: number;
  /** Entries. @default 1000 */
  readonly entries?: number;
  /** One entry, bytes. @default 16777216 */
  readonly entryBytes?: number;
  /** All entries together, bytes. @default 33554432 */
  readonly totalBytes?: number;
}

export const ARCHIVE_DEFAULTS = {
  archiveBytes: 33_554_432,
  entries: 1_000,
  entryBytes: 16_777_216,
  totalBytes: 33_554_432,
} as const satisfies ArchiveCaps;

/** Files by path, in the order of their names. */
export type ArchiveFiles = ReadonlyMap<string, Uint8Array>;

/** End-of-directory record without a comment: APPNOTE 6.3.3, 4.3.16. */
const END_BYTES = 22;
/** Central directory record without name, extra field and comment: 4.3.12. */
const CENTRAL_BYTES = 46;
/** Local header without name and extra field: 4.3.7. */
const LOCAL_BYTES = 30;
const STORED = 0;

/** The one archive of these files. Throws BUNDLE_ARCHIVE for names that have no place in a bundle. */
export function writeArchive(files: ArchiveFiles): Buffer {
  const names = [...files.keys()].sort();
  for (const name of names) checkEntryName(name);
  checkCollisions(names);
  return encodeZip(Object.fromEntries(names.map((name) => [name, files.get(name) ?? ''])));
}

/** The files of an archive; the caps are checked before anything is copied. Throws BUNDLE_ARCHIVE or BUNDLE_TOO_LARGE. */
export function readArchive(bytes: Uint8Array, caps: ArchiveCaps = {}): ArchiveFiles {
  const limits = { ...ARCHIVE_DEFAULTS, ...caps };
  const archive = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (archive.length > limits.archiveBytes)
    throw tooLarge(`the archive has ${archive.length} bytes, ${limits.archiveBytes} at most`);
  const entries = readDirectory(archive, limits);
  checkCollisions(entries.map(({ name }) => name));
  const files = new Map(entries.map((entry) => [entry.name, contentOf(archive, entry)]));
  if (!writeArchive(files).equals(archive))
    throw refused('it is not in the one form that `vcx plugin pack` writes, or was changed');
  return files;
}

interface Entry {
  readonly name: string;
  readonly size: number;
  readonly offset: number;
}

function readDirectory(archive: Buffer, caps: Required<ArchiveCaps>): Entry[] {
  const end = archive.length - END_BYTES;
  if (end < 0 || archive.readUInt32LE(end) !== 0x06_05_4b_50)
    throw refused('its end is missing: it was cut short, or is no bundle');
  const count = archive.readUInt16LE(end + 10);
  if (count > caps.entries) throw tooLarge(`it has ${count} entries, ${caps.entries} at most`);
  const entries: Entry[] = [];
  let at = archive.readUInt32LE(end + 16);
  let total = 0;
  for (let index = 0; index < count; index++) {
    if (at + CENTRAL_BYTES > end || archive.readUInt32LE(at) !== 0x02_01_4b_50)
      throw refused('its directory is cut short or broken');
    const entry = readEntry(archive, at, end);
    checkSize(entry, (total += entry.size), caps);
    entries.push(entry);
    at += CENTRAL_BYTES + Buffer.byteLength(entry.name);
  }
  return entries;
}

/** Names and sizes are what the directory claims; the comparison at the end finds local headers that disagree. */
function readEntry(archive: Buffer, at: number, end: number): Entry {
  const nameEnd = at + CENTRAL_BYTES + archive.readUInt16LE(at + 28);
  const raw = archive.subarray(at + CENTRAL_BYTES, nameEnd);
  if (nameEnd > end || !isUtf8(raw)) throw refused('a name is cut short or not UTF-8');
  const name = raw.toString();
  checkEntryName(name);
  if (isLink(archive.readUInt32LE(at + 38)))
    throw refused(`${name}: is a link; a bundle holds files only`);
  if ((archive.readUInt16LE(at + 8) & 1) !== 0) throw refused(`${name}: is encrypted`);
  if (archive.readUInt16LE(at + 10) !== STORED)
    throw refused(`${name}: is compressed; entries of a bundle are stored as they are`);
  const size = archive.readUInt32LE(at + 24);
  if (archive.readUInt32LE(at + 20) !== size) throw refused(`${name}: names two sizes`);
  return { name, size, offset: archive.readUInt32LE(at + 42) };
}

/** Unix mode in the upper half of the external attributes. */
function isLink(attributes: number): boolean {
  return ((attributes >>> 16) & 0o170_000) === 0o120_000;
}

function checkSize({ name, size }: Entry, total: number, caps: Required<ArchiveCaps>): void {
  if (size > caps.entryBytes)
    throw tooLarge(`${name} has ${size} bytes, ${caps.entryBytes} at most`);
  if (total > caps.totalBytes)
    throw tooLarge(`the files have more than ${caps.totalBytes} bytes together`);
}

function contentOf(archive: Buffer, { name, size, offset }: Entry): Uint8Array {
  const start = offset + LOCAL_BYTES + Buffer.byteLength(name);
  if (start + size > archive.length) throw refused(`${name}: is cut short`);
  return archive.subarray(start, start + size);
}

function refused(why: string): HostError {
  return new HostError('BUNDLE_ARCHIVE', `the bundle is refused: ${why}`);
}

function tooLarge(why: string): HostError {
  return new HostError('BUNDLE_TOO_LARGE', `the bundle is refused: ${why}`);
}
