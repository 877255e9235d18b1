/**
 * Reads the texts out of a ZIP archive of localization files.
 * May import: nothing of ours.
 */
import { inflateRawSync } from 'node:zlib';

/** The bytes are no archive that the cell reads; the message says why. */
export class ZipFault extends Error {}

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const MAX_FILES = 1_000;
const MAX_TEXT_BYTES = 16 * 1024 * 1024;

/** The end record is last, but a comment of up to 64 KiB may follow its fixed part. */
function endOf(archive: Buffer): number {
  const first = Math.max(0, archive.length - 22 - 0xffff);
  for (let at = archive.length - 22; at >= first; at -= 1)
    if (archive.readUInt32LE(at) === END) return at;
  throw new ZipFault('no end of central directory');
}

function contentOf(archive: Buffer, entry: number, left: number): Buffer {
  const method = archive.readUInt16LE(entry + 10);
  const size = archive.readUInt32LE(entry + 20);
  const local = archive.readUInt32LE(entry + 42);
  if (archive.readUInt32LE(local) !== LOCAL) throw new ZipFault('a local header is missing');
  const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
  if (start + size > archive.length) throw new ZipFault('an entry is longer than the archive');
  const packed = archive.subarray(start, start + size);
  if (method === 0) return packed;
  if (method !== 8) throw new ZipFault(`compression method ${method}`);
  return inflateRawSync(packed, { maxOutputLength: Math.max(left, 1) });
}

function entries(archive: Buffer): Map<string, string> {
  const end = endOf(archive);
  const count = archive.readUInt16LE(end + 10);
  if (count > MAX_FILES) throw new ZipFault(`more than ${MAX_FILES} files`);
  const files = new Map<string, string>();
  let at = archive.readUInt32LE(end + 16);
  let left = MAX_TEXT_BYTES;
  for (let index = 0; index < count; index += 1) {
    if (archive.readUInt32LE(at) !== ENTRY) throw new ZipFault('a directory entry is missing');
    const nameLength = archive.readUInt16LE(at + 28);
    const name = archive.subarray(at + 46, at + 46 + nameLength).toString('utf8');
    const content = contentOf(archive, at, left);
    left -= content.length;
    if (left < 0) throw new ZipFault(`more than ${MAX_TEXT_BYTES} bytes of text`);
    if (!name.endsWith('/')) files.set(name, content.toString('utf8'));
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  return files;
}

/** Names and texts of the files in an archive; throws `ZipFault` for anything that is none, or too much. */
export function readZip(archive: Buffer): Map<string, string> {
  try {
    return entries(archive);
  } catch (error) {
    if (error instanceof ZipFault) throw error;
    throw new ZipFault('the archive is broken', { cause: error });
  }
}
