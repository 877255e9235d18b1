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
  /** Each a list of arguments that, together, only one of its processes has. */
  readonly marks: readonly (readonly string[])[];
}

const FILE = 'owner.json';
/** A folder without an owner file is being made right now, unless it is older than this. */
const YOUNG_MS = 60_000;

/** Note this process as owner of the folder; to be done before anything is started in it. */
export async function recordOwner(dir: string, marks: Owner['marks']): Promise<void> {
  const owner: Owner = { pid: process.pid, start: startOf(process.pid), marks };
  await writeFile(join(dir, FILE), JSON.stringify(owner));
}

async function readOwner(dir: string): Promise<Owner | undefined> {
  try {
    const owner = JSON.parse(await readFile(join(dir, FILE), 'utf8')) as Owner;
    return typeof owner.pid === 'number' && Array.isArray(owner.marks) ? owner : undefined;
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
    // A mark without arguments would fit every process there is.
    const marks = (owner?.marks ?? []).filter((mark) => mark.length > 0);
    const pids = marks.flatMap((mark) => findProcesses(mark));
    await Promise.all(pids.map((pid) => endProcess(pid, 3_000)));
    await rm(dir, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
    swept.push(dir);
  }
  return swept;
}
