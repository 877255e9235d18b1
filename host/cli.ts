#!/usr/bin/env node
/**
 * The command line's first file: compiled code is kept between runs, so that a command begins in half the time.
 * May import: everything.
 */
import { enableCompileCache } from 'node:module';

import { compiledFolder } from './cli/folders.ts';

// Without a folder of our own nothing is kept: the one that Node would take is open to everybody.
const folder = compiledFolder(process.env);
if (folder !== null) enableCompileCache(folder);
const { runCommandLine } = await import('./cli/program.ts');
await runCommandLine();
