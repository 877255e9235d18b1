#!/usr/bin/env node
/**
 * The command line: reads arguments, starts the command, decides the exit code.
 * May import: everything.
 */
import { Command } from 'commander';

import { check } from './cli/check.ts';
import { start } from './cli/start.ts';
import { codeOf, messageOf } from './kernel/errors.ts';

const program = new Command('vcx')
  .description('Runs VMware vCloud Director API extensions as sandboxed plug-ins.')
  .showHelpAfterError();

program
  .command('start', { isDefault: true })
  .description('run the host; without a configuration, with a local cloud to try it on')
  .option('--smoke', 'make the example calls on a local cloud, print them and exit 0 or 1')
  .action(run(start));

program
  .command('check')
  .description('validate the configuration and load every plug-in; exit 0 when all is well')
  .option('--json', 'print the result as JSON')
  .action(run(check));

/** Exit codes: 0 done, 1 the command found a failure, 2 wrong arguments or configuration. */
function run<T>(command: (options: T) => Promise<number>): (options: T) => Promise<void> {
  return async (options) => {
    try {
      process.exitCode = await command(options);
    } catch (error) {
      const code = codeOf(error);
      console.error(`vcx: ${code}: ${messageOf(error)}`);
      if (code === 'INTERNAL' && error instanceof Error) console.error(error.stack);
      process.exitCode = code === 'CONFIG_INVALID' ? 2 : 1;
    }
  };
}

program.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
await program.parseAsync();
