/** Archives that an honest writer would not make: every field of every entry can be a lie. */
import { crc32 } from 'node:zlib';

export interface RawEntry {
  readonly name: string | Uint8Array;
  readonly data?: string | Uint8Array;
  readonly method?: number;
  readonly flags?: number;
  /** Unix mode, e.g. 0o120777 for a link. */
  readonly mode?: number;
  /** What the headers claim. */
  readonly size?: number;
  readonly packedSize?: number;
  /** Name in the local header when it is another one. */
  readonly localName?: string;
}

export interface RawArchive {
  /** Entries that the end record claims. */
  readonly count?: number;
  readonly comment?: string;
  /** Bytes between the entries and the directory. */
  readonly gap?: string;
}

export function rawZip(entries: readonly RawEntry[], archive: RawArchive = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const name = Buffer.from(entry.name);
    const data = Buffer.from(entry.data ?? '');
    const localName = entry.localName === undefined ? name : Buffer.from(entry.localName);
    const local = Buffer.concat([
      Buffer.from('PK\x03\x04', 'latin1'),
      fields(entry, localName, data),
      localName,
      data,
    ]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(((entry.mode ?? 0) << 16) >>> 0, 6);
    tail.writeUInt32LE(offset, 10);
    const madeBy = Buffer.from('PK\x01\x02\x14\x00', 'latin1');
    directory.push(Buffer.concat([madeBy, fields(entry, name, data), tail, name]));
    parts.push(local);
    offset += local.length;
  }
  const gap = Buffer.from(archive.gap ?? '');
  const listing = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(archive.count ?? entries.length, 8);
  end.writeUInt16LE(archive.count ?? entries.length, 10);
  end.writeUInt32LE(listing.length, 12);
  end.writeUInt32LE(offset + gap.length, 16);
  const comment = Buffer.from(archive.comment ?? '');
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...parts, gap, listing, end, comment]);
}

function fields(entry: RawEntry, name: Buffer, data: Buffer): Buffer {
  const out = Buffer.alloc(26);
  out.writeUInt16LE(20, 0);
  out.writeUInt16LE(entry.flags ?? 0x0800, 2);
  out.writeUInt16LE(entry.method ?? 0, 4);
  out.writeUInt16LE(0x0021, 8);
  out.writeUInt32LE(crc32(data), 10);
  out.writeUInt32LE(entry.packedSize ?? entry.size ?? data.length, 14);
  out.writeUInt32LE(entry.size ?? data.length, 18);
  out.writeUInt16LE(name.length, 22);
  return out;
}
