/**
 * Bytes under their own digest in an object store, checked whenever they are read.
 * May import: kernel, cluster, @nats-io.
 */
import { createHash } from 'node:crypto';

import { Objm, type ObjectInfo, type ObjectStore } from '@nats-io/obj';

import { HostError } from '../../kernel/errors.ts';
import type { Link } from '../link/link.ts';
import { ensureStream, nameOf } from '../link/streams.ts';

export interface Blobs {
  /** The SHA-256 in hex. What is there under it, but altered, is written anew. */
  put(bytes: Uint8Array): Promise<string>;
  /** Null when there is none. Throws STORE_BLOB_ALTERED. */
  get(hash: string): Promise<Uint8Array | null>;
  drop(hash: string): Promise<void>;
  hashes(): Promise<string[]>;
}

/** Larger objects were put there by somebody else: they are not read. */
const MAX_BYTES = 134_217_728;
const READ_MS = 30_000;

export async function openBlobs(link: Link): Promise<Blobs> {
  const name = nameOf(link, 'bundles');
  const stream = `OBJ_${name}`;
  const subjects = [`$O.${name}.C.>`, `$O.${name}.M.>`];
  const maxBytes = link.settings.bytes.bundles;
  await ensureStream(link, { name: stream, subjects, perSubject: -1, maxBytes });
  const objects = await new Objm(link.client).open(name, false);
  const run = <T>(work: () => Promise<T>) => link.run(name, work);

  async function get(hash: string): Promise<Uint8Array | null> {
    const info = await run(() => objects.info(hash));
    if (!info || info.deleted) return null;
    const bytes = await run(() => readObject(link, objects, { info, stream }));
    if (bytes && createHash('sha256').update(bytes).digest('hex') === hash) return bytes;
    throw new HostError('STORE_BLOB_ALTERED', `the stored bundle ${hash} was altered`);
  }
  return {
    get,
    async put(bytes) {
      const hash = createHash('sha256').update(bytes).digest('hex');
      const there = await get(hash).catch((error: unknown) => {
        if (error instanceof HostError && error.code === 'STORE_BLOB_ALTERED') return null;
        throw error;
      });
      if (!there) await run(() => objects.putBlob({ name: hash }, bytes));
      return hash;
    },
    async drop(hash) {
      const info = await run(() => objects.info(hash));
      if (info && !info.deleted) await run(() => objects.delete(hash));
    },
    hashes: () =>
      run(async () => (await objects.list()).filter(({ deleted }) => !deleted).map((o) => o.name)),
  };
}

/** Null when its pieces are not those that it was made of: the client would wait for missing ones for ever. */
async function readObject(
  link: Link,
  objects: ObjectStore,
  { info, stream }: { info: ObjectInfo; stream: string },
): Promise<Uint8Array | null> {
  const subject = `$O.${info.bucket}.C.${info.nuid}`;
  const { state } = await link.manager.streams.info(stream, { subjects_filter: subject });
  if ((state.subjects?.[subject] ?? 0) !== info.chunks || info.size > MAX_BYTES) return null;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error('the bundle was not read in time')),
    READ_MS,
  );
  try {
    return await Promise.race([objects.getBlob(info.name), late.promise]);
  } catch (error) {
    if (error instanceof Error && /corrupt object|digest/i.test(error.message)) return null;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
