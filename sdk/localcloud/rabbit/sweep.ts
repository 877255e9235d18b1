/**
 * Ends private nodes whose owner died without ending them, and deletes their folders.
 * May import: nothing of ours.
 */
import { readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { endProcess, findProcesses, isAlive, startOf } from './processes.ts';

/** Who owns a data folder, and how its processes can be told from all others. */
interface Owner {
  readonly pid: number;
  /** Start time of the owner: a pid alone may belong to a newer process. */
  readonly start: string;
  /** The port of the private epmd, which is part of its command line. */
  readonly epmdPort: number;
}

const FILE = 'owner.json';
/** A folder without an owner file is being made right now, unless it is older than this. */
const YOUNG_MS = 60_000;

/** Note this process as owner of the folder; to be done before anything is started in it. */
export async function recordOwner(dir: string, epmdPort: number): Promise<void> {
  const owner: Owner = { pid: process.pid, start: startOf(process.pid), epmdPort };
  await writeFile(join(dir, FILE), JSON.stringify(owner));
}

/** The command line of a node holds `-vcx_dir DIR`, the mark by which it is recognised; without blanks. */
export function markOf(dir: string): readonly [string, string] {
  return ['-vcx_dir', encodeURIComponent(dir)];
}

async function readOwner(dir: string): Promise<Owner | undefined> {
  try {
    const owner = JSON.parse(await readFile(join(dir, FILE), 'utf8')) as Owner;
    return typeof owner.pid === 'number' ? owner : undefined;
  } catch {
    return undefined;
  }
}

async function isStale(dir: string, owner: Owner | undefined): Promise<boolean> {
  if (owner) return !(isAlive(owner.pid) && startOf(owner.pid) === owner.start);
  const info = await stat(dir).catch(() => undefined);
  return info !== undefined && Date.now() - info.mtimeMs > YOUNG_MS;
}

/** End and delete every node below `folder` whose owner is dead; returns the folders deleted. */
export async function sweepNodes(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const swept: string[] = [];
  for (const name of names) {
    const dir = join(folder, name);
    const owner = await readOwner(dir);
    if (!(await isStale(dir, owner))) continue;
    const pids = findProcesses(markOf(dir));
    if (owner) pids.push(...findProcesses(['-port', String(owner.epmdPort), '127.0.0.1']));
    await Promise.all(pids.map((pid) => endProcess(pid, 3_000)));
    await rm(dir, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
    swept.push(dir);
  }
  return swept;
}
