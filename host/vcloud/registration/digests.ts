/**
 * Remembers which texts were uploaded last for each namespace, since vCloud can not be asked.
 * May import: kernel.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export interface DigestFile {
  /** Undefined when nothing is known: then texts that are there are left alone. */
  get(namespace: string): string | undefined;
  put(namespace: string, digest: string): void;
}

/** A file that is missing or broken counts as empty; it is written anew as a whole. */
export function createDigestFile(file: string): DigestFile {
  function read(): Record<string, string> {
    try {
      const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
      return typeof value === 'object' && value !== null ? (value as Record<string, string>) : {};
    } catch {
      return {};
    }
  }
  return {
    get(namespace) {
      const digests = read();
      const digest = Object.hasOwn(digests, namespace) ? digests[namespace] : undefined;
      return typeof digest === 'string' ? digest : undefined;
    },
    put(namespace, digest) {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      const part = `${file}.${process.pid}.part`;
      writeFileSync(part, `${JSON.stringify({ ...read(), [namespace]: digest }, null, 2)}\n`);
      renameSync(part, file);
    },
  };
}
