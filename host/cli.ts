#!/usr/bin/env node
/**
 * The command line's first file: compiled code is kept between runs, so that a command begins in half the time.
 * May import: everything.
 */
import { enableCompileCache } from 'node:module';

import { compiledFolder } from './cli/folders.ts';

// Where the folder can not be had nothing is kept, and nothing else is different.
enableCompileCache(compiledFolder(process.env));
const { runCommandLine } = await import('./cli/program.ts');
await runCommandLine();
