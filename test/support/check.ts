/** `npm run check`: every static check in turn, all of them even when one fails; exit code 1 if any did. */
import { spawnSync } from 'node:child_process';

const checks: [name: string, command: string, args: string[]][] = [
  ['types: host, tests, local cloud', 'tsc', ['-p', '.']],
  ['types: guest prelude', 'tsc', ['-p', 'sdk/guest']],
  ['types: plug-ins', 'tsc', ['-p', 'plugins']],
  ['lint', 'oxlint', ['--type-aware', '--deny-warnings']],
  ['format', 'oxfmt', ['--check', '.']],
  ['unused files, exports and packages', 'knip', []],
];

let failed = 0;
for (const [name, command, args] of checks) {
  const started = performance.now();
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
  if (status !== 0) failed += 1;
}
process.exit(failed === 0 ? 0 : 1);
