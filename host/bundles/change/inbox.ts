/**
 * A watched folder: a bundle that is put there is installed, and why one was not is kept until its file changes.
 * May import: kernel.
 */
import { constants } from 'node:fs';
import { open, readdir, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { CODES, codeOf, HostError, messageOf, type Code } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import { pause } from '../../kernel/time.ts';
import type { Actor, PluginAdmin } from './admin.ts';
import { ARCHIVE_DEFAULTS } from '../archive/zip.ts';

export interface InboxOptions {
  readonly folder: string;
  readonly admin: Pick<PluginAdmin, 'upload'>;
  readonly log: Log;
  /** Between two looks, in ms. @default 500 */
  readonly everyMs?: number;
}

export interface InboxProblem {
  readonly file: string;
  readonly code: Code;
  readonly reason: string;
}

export interface Inbox extends AsyncDisposable {
  /** Files that were refused, in order of their names. */
  problems(): readonly InboxProblem[];
}

/** Who may write into the folder is an operator. What a version asks for beyond what is allowed still waits. */
const WHO: Actor = { who: 'inbox', owner: null };
const MAX_MAP_BYTES = ARCHIVE_DEFAULTS.archiveBytes;

/** The folder is looked through, not only listened to: events get lost on network file systems. Throws CONFIG_INVALID. */
export async function openInbox(options: InboxOptions): Promise<Inbox> {
  const { folder, log, everyMs = 500 } = options;
  await readdir(folder).catch((error: unknown) => {
    throw new HostError('CONFIG_INVALID', `plugins.inbox: ${folder} can not be read`, {
      cause: error,
    });
  });
  const stopped = new AbortController();
  const files = new Map<string, InboxFile>();

  async function watch(): Promise<void> {
    while (!stopped.signal.aborted) {
      await look(options, files, stopped.signal).catch((error: unknown) => {
        log.error('inbox.unreadable', { folder, reason: messageOf(error) });
      });
      await pause(everyMs, stopped.signal);
    }
  }
  const work = watch();
  return {
    problems: () =>
      [...files.values()]
        .flatMap(({ problem }) => (problem ? [problem] : []))
        .sort((a, b) => (a.file < b.file ? -1 : 1)),
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await work;
    },
  };
}

/** Marks are of size and time: what changes has another one. */
interface InboxFile {
  seen: string;
  /** When it was last taken in, or null. */
  done: string | null;
  problem: InboxProblem | null;
}

async function look(
  options: InboxOptions,
  files: Map<string, InboxFile>,
  signal: AbortSignal,
): Promise<void> {
  const names = (await readdir(options.folder)).filter((name) => name.endsWith('.vcx')).sort();
  for (const name of files.keys()) if (!names.includes(name)) files.delete(name);
  for (const name of names) {
    if (signal.aborted) return;
    const mark = await markOf(join(options.folder, name));
    const file = files.get(name);
    if (!file) files.set(name, { seen: mark, done: null, problem: null });
    // A file that still grows is not read: it has to be the same at two looks.
    else if (file.seen !== mark) file.seen = mark;
    else if (file.done !== mark) {
      file.problem = await take(options, name, file.problem);
      // What is no fault of the file is tried again.
      file.done = file.problem && passes(file.problem.code) ? null : mark;
    }
  }
}

/** One broken entry must not keep others from being taken: it gets a mark too. */
async function markOf(path: string): Promise<string> {
  const found = await stat(path).catch(() => null);
  return found ? `${found.size} ${found.mtimeMs} ${found.ino}` : 'unreadable';
}

/** Null when it was installed. */
async function take(
  { folder, admin, log }: InboxOptions,
  name: string,
  before: InboxProblem | null,
): Promise<InboxProblem | null> {
  const path = join(folder, name);
  try {
    const archive = await readCapped(path, ARCHIVE_DEFAULTS.archiveBytes);
    const sourceMap = await readCapped(`${path}.map`, MAX_MAP_BYTES).catch(() => null);
    // A file that has lain here since before the last rollback must not undo it at the next start.
    const { state, version } = await admin.upload(archive, { sourceMap, onlyNew: true }, WHO);
    log.info('inbox.taken', { file: name, version, state });
    return null;
  } catch (error) {
    const problem = { file: name, code: codeOf(error), reason: messageOf(error) };
    if (before?.reason !== problem.reason) log.error('inbox.refused', { ...problem });
    return problem;
  }
}

/** What is looked at is what is read, whatever is put in its place meanwhile. */
async function readCapped(path: string, maxBytes: number): Promise<Uint8Array> {
  // Opening a pipe would wait for its other end, and reading it for ever.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  await using file = await open(path, flags).catch(unreadable);
  const found = await file.stat().catch(unreadable);
  if (!found.isFile()) throw new HostError('BUNDLE_ARCHIVE', 'it is no plain file');
  if (found.size > maxBytes) throw new HostError('BUNDLE_TOO_LARGE', `more than ${maxBytes} bytes`);
  return readBytes(file, found.size).catch(unreadable);
}

/** As many as there were when it was looked at; one that is cut short meanwhile is refused by its archive. */
async function readBytes(file: FileHandle, size: number): Promise<Uint8Array> {
  const bytes = Buffer.alloc(size);
  let length = 0;
  while (length < size) {
    const { bytesRead } = await file.read(bytes, length, size - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}

function unreadable(error: unknown): never {
  throw new HostError('BUNDLE_ARCHIVE', `the file can not be read: ${messageOf(error)}`, {
    cause: error,
  });
}

/** Another host was faster, or this one has no runner just now. */
function passes(code: Code): boolean {
  return code === 'PLUGIN_CHANGED' || CODES[code].blame === 'host';
}
