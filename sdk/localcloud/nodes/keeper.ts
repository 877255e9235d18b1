/**
 * A tiny shell process that outlives its owner just long enough to end what the owner started.
 * May import: nothing of ours.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Each line of standard input replaces the list of pids to end. The end of the input means that the
 * owner closed it or died, by SIGKILL too, since the kernel closes the pipe. `$1`, if not empty, is a
 * folder to delete at the end. A shell costs under 1 MB; a second Node would cost 45.
 */
const SCRIPT = `
trap '' INT TERM HUP
pids=
while read -r line; do pids=$line; done
# Data that is deleted anyway needs no clean stop.
[ -n "$1" ] && signal=KILL || signal=TERM
[ -n "$pids" ] && kill -$signal $pids 2>/dev/null
n=0
for pid in $pids; do
  while kill -0 $pid 2>/dev/null && [ $n -lt 50 ]; do
    case "$(cat /proc/$pid/stat 2>/dev/null)" in *') Z '*) break ;; esac
    sleep 0.1; n=$((n + 1))
  done
done
[ -n "$pids" ] && kill -KILL $pids 2>/dev/null
if [ -n "$1" ]; then rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }; fi
exit 0
`;

export interface Keeper extends AsyncDisposable {
  readonly pid: number;
  /** Replace the list of processes to end when this process is gone. */
  watch(pids: readonly number[]): void;
}

/** Start the keeper; disposing it ends the watched processes, deletes the folder, and waits for both. */
export function openKeeper(deleteFolder: string | undefined): Keeper {
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'vcx-keeper', deleteFolder ?? ''], {
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
    // A session of its own: the Ctrl-C of the terminal must not reach it.
    detached: true,
  });
  const gone = once(child, 'exit');
  child.stdin.on('error', () => undefined);
  return {
    pid: child.pid ?? 0,
    watch(pids) {
      child.stdin.write(`${pids.join(' ')}\n`);
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await gone;
    },
  };
}
