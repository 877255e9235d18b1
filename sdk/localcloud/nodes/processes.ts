/**
 * What the operating system says about processes: alive, gone, since when, and who a pid really is.
 * May import: nothing of ours.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds between two looks at a process that should end. */
const LOOK_MS = 25;

/** Fields of `/proc/PID/stat` after the name, which may itself hold blanks and brackets. */
function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** True while the process runs. A zombie, which nobody may ever reap, counts as gone. */
export function isAlive(pid: number): boolean {
  const state = statFields(pid)?.[0];
  if (state !== undefined) return state !== 'Z' && state !== 'X';
  if (process.platform === 'linux') return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** When the process started, in clock ticks since boot: pid and start together name a process for good. */
export function startOf(pid: number): string {
  return statFields(pid)?.[19] ?? '';
}

/** Pids whose command line holds every one of the given texts; none where there is no `/proc`. */
export function findProcesses(texts: readonly string[]): number[] {
  let names: string[];
  try {
    names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  return names.map(Number).filter((pid) => {
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return texts.every((text) => args.includes(text)) && isAlive(pid);
    } catch {
      return false;
    }
  });
}

/** All processes below one, at this moment; none where there is no `/proc`. */
export function descendantsOf(pid: number): number[] {
  const parents = new Map(findProcesses([]).map((each) => [each, Number(statFields(each)?.[1])]));
  const found = [pid];
  // The list grows while it is walked: children follow their parents.
  for (const parent of found)
    for (const [child, its] of parents) if (its === parent) found.push(child);
  return found.slice(1);
}

/** Send a signal; a process that is already gone is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone, or never ours: either way there is nothing left to end.
  }
}

/** Wait until the process is gone; false when it still runs after `timeoutMs`. */
export async function waitGone(pid: number, timeoutMs: number): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  while (isAlive(pid)) {
    if (performance.now() > end) return false;
    await delay(LOOK_MS);
  }
  return true;
}

/** End a process: SIGTERM, and SIGKILL when it does not heed it within `graceMs`. */
export async function endProcess(pid: number, graceMs: number): Promise<void> {
  signal(pid, 'SIGTERM');
  if (await waitGone(pid, graceMs)) return;
  signal(pid, 'SIGKILL');
  await waitGone(pid, 5_000);
}
