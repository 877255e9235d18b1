/**
 * A copy of the runner's programs as plain JavaScript in a folder of their own.
 * May import: nothing of ours.
 *
 * Node strips types with a WebAssembly program: that can not run with `--jitless`, and in every runner it would cost
 * time to start and memory to keep. Beside that, runners then need to read nothing of the host's own folder.
 */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

export interface StagedPrograms extends Disposable {
  /** Where the programs are; every user may read it. */
  readonly folder: string;
  /** Path of a program by its name without extension. */
  path(name: string): string;
}

const PREFIX = 'vcx-runner-';

/** Copy `source`; `libraries` maps bare import names to the files that they mean. */
export function stagePrograms(
  source: string,
  libraries: Readonly<Record<string, string>>,
): StagedPrograms {
  sweepStale();
  const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  chmodSync(folder, 0o755);
  for (const file of readdirSync(source)) {
    const extension = extname(file);
    const name = file.slice(0, -extension.length);
    const text = readFileSync(join(source, file), 'utf8');
    const script = extension === '.ts' ? strip(text) : text;
    writeFileSync(join(folder, `${name}.mjs`), rewriteImports(script, libraries), { mode: 0o644 });
  }
  return {
    folder,
    path: (name) => join(folder, `${name}.mjs`),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Folders of hosts that were killed before they could remove them. */
function sweepStale(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(/^vcx-runner-(\d+)-/.exec(name)?.[1] ?? 0);
    if (pid === 0 || isAlive(pid)) continue;
    // Another user's folder stays: removing it is not ours to do, and fails.
    rmQuietly(join(tmpdir(), name));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function rmQuietly(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // Somebody else's.
  }
}

/** Node calls the function experimental at its first use; operators need not hear of it. */
function strip(text: string): string {
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = () => undefined;
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** The copies have another extension, and no node_modules above them. */
function rewriteImports(script: string, libraries: Readonly<Record<string, string>>): string {
  return script.replaceAll(/ from '([^']+)';/g, (whole, name: string) => {
    const library = libraries[name];
    if (library) return ` from '${pathToFileURL(library).href}';`;
    return name.startsWith('./') ? ` from '${name.replace(/\.[tj]s$/, '.mjs')}';` : whole;
  });
}
