#!/usr/bin/env node
/**
 * The command line: reads arguments, starts the command, decides the exit code.
 * May import: everything.
 */
import { Argument, Command, InvalidArgumentError, Option } from 'commander';

import { clusterCommands } from './cli/cluster.ts';
import type { ExplainOptions } from './cli/explain.ts';
import { pluginCommands } from './cli/plugin/commands.ts';
import type { RegisterAction, RegisterOptions } from './cli/register.ts';
import type { StartOptions } from './cli/start.ts';
import { storageCommands } from './cli/storage.ts';
import { codeOf, messageOf } from './kernel/errors.ts';

// What needs the whole host is loaded when it is asked for: the other commands start in half the time.
const program = new Command('vcx')
  .description('Runs VMware vCloud Director API extensions as sandboxed plug-ins.')
  .showHelpAfterError()
  // Before the commands are made, since they take it over from here.
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

program
  .command('start', { isDefault: true })
  .description('run the host; without a configuration, with a local cloud to try it on')
  .option('--smoke', 'make the example calls on a local cloud, print them and exit 0 or 1')
  .option('--hosts <number>', 'so many hosts on a local cloud, with NATS between them', hostCount)
  .addOption(new Option('--child', 'end when standard input does').hideHelp())
  .action(run(async (options: StartOptions) => (await import('./cli/start.ts')).start(options)));

program
  .command('check')
  .description('validate the configuration and load every plug-in; exit 0 when all is well')
  .option('--json', 'print the result as JSON')
  .action(
    run(async (options: { json?: boolean }) => (await import('./cli/check.ts')).check(options)),
  );

program
  .command('register')
  .description(
    'services in vCloud as plugin.json describes them; `plan` exits 0 when nothing is to change and 3 when something is',
  )
  .addArgument(new Argument('<action>').choices(['plan', 'apply', 'remove']))
  .option('--plugin <name>', 'only this plug-in')
  .option('--all', 'with remove: every plug-in')
  .option('--json', 'print the result as JSON')
  .action((action: RegisterAction, options: RegisterOptions) =>
    run(async (given: RegisterOptions) =>
      (await import('./cli/register.ts')).register(action, given),
    )(options),
  );

program
  .command('doctor')
  .description('examine vCloud, broker and registration, and say how to mend what is wrong')
  .option('--json', 'print the result as JSON')
  .action(
    run(async (options: { json?: boolean }) => (await import('./cli/doctor.ts')).doctor(options)),
  );

program
  .command('explain')
  .description('each step of a decision: exit 0 when the call would be allowed, 3 when not')
  .addArgument(new Argument('<topic>').choices(['authz']))
  .requiredOption('--user <user>', 'name@org, or the URN of a user')
  .requiredOption('--method <method>', 'GET, POST, PUT, DELETE')
  .requiredOption('--url <url>', 'path, or address of the call')
  .option('--json', 'print the result as JSON')
  .action((_topic: string, options: ExplainOptions) =>
    run(async (given: ExplainOptions) => (await import('./cli/explain.ts')).explain(given))(
      options,
    ),
  );

pluginCommands(program);
clusterCommands(program);
storageCommands(program);

function hostCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 9)
    throw new InvalidArgumentError('a whole number from 1 to 9');
  return count;
}

/** Exit codes: 0 done, 1 the command found a failure, 2 wrong arguments or configuration, 3 see `register` and `explain`. */
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

await program.parseAsync();
