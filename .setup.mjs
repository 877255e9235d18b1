/**
 * Runs before start, test, check and bench on whatever Node is there (18 or newer): installs the
 * locked packages when they are missing or out of date, among them the Node that runs the rest.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(fileURLToPath(import.meta.url));
const stamp = join(root, 'node_modules', '.vcx-setup');
const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .update(`${process.platform} ${process.arch}`)
  .digest('hex');

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  console.log('vcx: installing the locked packages (once; well under a minute) …');
  // The outer Node is older than the packages ask for; they run on the Node 26 among them, hence
  // no warnings about engines. `--include=dev`: also under NODE_ENV=production.
  const args = [
    'ci',
    '--include=dev',
    '--include=optional',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  const npm = process.env.npm_execpath;
  const result = npm
    ? spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio: 'inherit' })
    : spawnSync('npm', args, { cwd: root, stdio: 'inherit' });
  if (result.status !== 0) {
    console.error(
      'vcx: `npm ci` failed (see above); set-up is not complete. Check the network and run the command again.',
    );
    process.exit(result.status ?? 1);
  }
  if (!existsSync(join(root, 'node_modules', '.bin', 'node'))) {
    console.error(
      `vcx: no Node 26 package for ${process.platform}-${process.arch}; install Node 26 yourself and run the command with it.`,
    );
    if (Number(process.versions.node.split('.')[0]) < 26) process.exit(1);
  }
  writeFileSync(stamp, wanted);
}
