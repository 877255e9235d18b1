/**
 * Starts a runner or compiler program inside the enclosure, and knows its processes.
 * May import: kernel.
 */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { openSync, readdirSync, readFileSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import type { Enclosure } from './barriers.ts';

export interface Spawned {
  readonly child: ChildProcess;
  readonly socket: Duplex;
  /** Node's own process below a prefix such as unshare; the child itself without one, or while it is not there yet. */
  innerPid(): number;
  /** The program is up: its pid is looked for no more. */
  settle(): void;
  /** SIGKILL to all of it. Idempotent; a prefix ends after what it started, so that its exit means that all are gone. */
  kill(): void;
}

export interface Spawner {
  /** Start a program; throws what `spawn` throws. Failures to start arrive as the child's `error` and `exit`. */
  start(program: string): Spawned;
}

/** How long a prefix may take to end after what it started, ms. */
const PREFIX_MS = 1_000;

export function createSpawner(enclosure: Enclosure): Spawner {
  const uids = enclosure.uidRange ? createUids(enclosure.uidRange) : null;
  const stdio = closedStdio();
  return {
    start(program) {
      const words = [...enclosure.prefix, process.execPath, ...enclosure.flags, program];
      const uid = uids?.take();
      const child = spawn(words[0] ?? process.execPath, words.slice(1), {
        cwd: '/',
        env: {},
        // A session of its own: SIGCONT passes between users of one session, and Ctrl-C must not end calls under way.
        detached: true,
        stdio,
        ...(uid === undefined ? {} : { uid, gid: uid }),
      });
      const giveBack = (): void => void (uid !== undefined && uids?.giveBack(uid));
      child.once('exit', giveBack);
      // What could not be started has no exit.
      child.once('error', () => child.pid === undefined && giveBack());
      return wrap(child, enclosure.prefix.length > 0);
    },
  };
}

/** The socketpair, and /dev/null in the place of whatever this process got from its own parent and would pass on. */
function closedStdio(): StdioOptions {
  const stdio: (number | 'ignore' | 'pipe')[] = ['ignore', 'ignore', 'ignore', 'pipe'];
  for (const fd of inheritable()) {
    while (stdio.length <= fd) stdio.push('ignore');
    stdio[fd] = nothing();
  }
  return stdio;
}

let nothingFd = -1;
const nothing = (): number =>
  nothingFd < 0 ? (nothingFd = openSync('/dev/null', 'r+')) : nothingFd;

/** Descriptors above the socketpair's that children get: Node opens none of that kind itself. Linux only. */
function inheritable(): number[] {
  const CLOSE_ON_EXEC = 0o2_000_000;
  const flagsOf = (fd: string): number => {
    try {
      const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'));
      return Number.parseInt(flags?.[1] ?? '', 8) || CLOSE_ON_EXEC;
    } catch {
      // It was the descriptor of this very listing, or there is no /proc.
      return CLOSE_ON_EXEC;
    }
  };
  try {
    const open = readdirSync('/proc/self/fdinfo').filter((fd) => Number(fd) > 3);
    return open.filter((fd) => (flagsOf(fd) & CLOSE_ON_EXEC) === 0).map(Number);
  } catch {
    return [];
  }
}

function wrap(child: ChildProcess, hasPrefix: boolean): Spawned {
  let settled = hasPrefix ? 0 : (child.pid ?? 0);
  const innerPid = (): number => settled || (child.pid ? deepestChild(child.pid) : 0);
  return {
    child,
    socket: child.stdio[3] as Duplex,
    innerPid,
    settle() {
      settled = innerPid();
    },
    kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const inner = innerPid();
      if (inner === child.pid) return void child.kill('SIGKILL');
      sigkill(inner);
      setTimeout(() => child.kill('SIGKILL'), PREFIX_MS).unref();
    },
  };
}

function sigkill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

/** Follow the only children down from a wrapper such as unshare to the program it started. */
function deepestChild(pid: number): number {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    const first = Number(children.split(' ')[0]);
    return first > 0 ? deepestChild(first) : pid;
  } catch {
    return pid;
  }
}

/** Ids in turn, none twice at once; begins anywhere, so that two hosts on a machine rarely meet. */
function createUids([first, last]: readonly [number, number]) {
  const count = last - first + 1;
  const taken = new Set<number>();
  let next = Math.floor(Math.random() * count);
  return {
    take(): number | undefined {
      for (let tries = 0; tries < count; tries++) {
        const uid = first + (next++ % count);
        if (taken.has(uid)) continue;
        taken.add(uid);
        return uid;
      }
      throw new Error(`all of the user ids ${first} to ${last} are taken`);
    },
    giveBack: (uid: number) => taken.delete(uid),
  };
}
