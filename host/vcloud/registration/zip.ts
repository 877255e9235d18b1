/**
 * The smallest ZIP archive: files stored without compression, which is what a bundle of a few texts needs.
 * May import: nothing. APPNOTE 6.3.3, sections 4.3.7, 4.3.12 and 4.3.16.
 */
import { crc32 } from 'node:zlib';

/** Bit 11: names are UTF-8. */
const UTF8 = 0x0800;
/** 1980-01-01, the first date of the format; a fixed one keeps the digest of equal content equal. */
const DATE = 0x0021;

interface Entry {
  readonly name: Buffer;
  readonly data: Uint8Array;
  readonly offset: number;
}

/** Names must be plain file names; order is kept. The same files give the same bytes. */
export function encodeZip(files: Readonly<Record<string, string | Uint8Array>>): Buffer {
  const parts: Buffer[] = [];
  const entries: Entry[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(files)) {
    const data = typeof content === 'string' ? Buffer.from(content) : content;
    const entry = { name: Buffer.from(name), data, offset };
    entries.push(entry);
    const local = Buffer.concat([localHeader(entry), entry.name, entry.data]);
    parts.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(entries.flatMap((e) => [centralHeader(e), e.name]));
  return Buffer.concat([...parts, directory, endOf(entries.length, directory.length, offset)]);
}

/** Version needed to method, time, date, checksum and sizes: the same in both headers. */
function common({ name, data }: Entry): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0);
  fields.writeUInt16LE(UTF8, 2);
  fields.writeUInt16LE(DATE, 8);
  fields.writeUInt32LE(crc32(data), 10);
  fields.writeUInt32LE(data.length, 14);
  fields.writeUInt32LE(data.length, 18);
  fields.writeUInt16LE(name.length, 22);
  return fields;
}

function localHeader(entry: Entry): Buffer {
  return Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common(entry)]);
}

function centralHeader(entry: Entry): Buffer {
  const tail = Buffer.alloc(14);
  tail.writeUInt32LE(entry.offset, 10);
  return Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), common(entry), tail]);
}

function endOf(count: number, size: number, offset: number): Buffer {
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(offset, 16);
  return end;
}
