/**
 * The commands: reads arguments, loads and runs the command, decides the exit code.
 * May import: everything.
 */
import { Argument, Command, InvalidArgumentError, Option } from 'commander';

import { codeOf, messageOf } from '../kernel/errors.ts';
import { clusterCommands } from './cluster.ts';
import type { ExplainOptions } from './explain.ts';
import { pluginCommands } from './plugin/commands.ts';
import type { RegisterAction, RegisterOptions } from './register.ts';
import type { StartOptions } from './start.ts';
import { storageCommands } from './storage.ts';
import { answerUsage } from './usage.ts';

interface JsonOption {
  readonly json?: boolean;
}

// What a command needs is loaded when it is run: most need no host, and start faster without one.
const program = answerUsage(new Command('vcx')).description(
  'Runs VMware vCloud Director API extensions as sandboxed plug-ins; without a command: start.',
);

program
  .command('start')
  .description('run the host; without a configuration, with a local cloud to try it on')
  .option('--smoke', 'make the example calls on a local cloud, print them and exit 0 or 1')
  .option('--hosts <number>', 'so many hosts on a local cloud, with NATS between them', hostCount)
  .addOption(new Option('--child', 'end when standard input does').hideHelp())
  .action(run(async (options: StartOptions) => (await import('./start.ts')).start(options)));

program
  .command('check')
  .description('validate the configuration and load every plug-in; exit 0 when all is well')
  .option('--json', 'print the result as JSON')
  .action(run(async (options: JsonOption) => (await import('./check.ts')).check(options)));

program
  .command('register')
  .description(
    'services in vCloud as plugin.json describes them; `plan` exits 0 when nothing is to change and 3 when something is',
  )
  .addArgument(new Argument('<action>').choices(['plan', 'apply', 'remove', 'release']))
  .argument('[operations...]', 'with release: operations that vCloud shall not hold any more')
  .option('--plugin <name>', 'only this plug-in')
  .option('--all', 'with remove: every plug-in')
  .option('--json', 'print the result as JSON')
  .action((action: RegisterAction | 'release', operations: string[], options: RegisterOptions) =>
    run(async (given: RegisterOptions) =>
      (await import('./register.ts')).registerCommand(action, operations, given),
    )(options),
  );

program
  .command('doctor')
  .description('examine vCloud, broker and registration, and say how to mend what is wrong')
  .option('--json', 'print the result as JSON')
  .action(run(async (options: JsonOption) => (await import('./doctor.ts')).doctor(options)));

program
  .command('explain')
  .description('each step of a decision: exit 0 when the call would be allowed, 3 when not')
  .addArgument(new Argument('<topic>').choices(['authz']))
  .requiredOption('--user <user>', 'name@org, or the URN of a user')
  .requiredOption('--method <method>', 'GET, POST, PUT, DELETE')
  .requiredOption('--url <url>', 'path, or address of the call')
  .option('--json', 'print the result as JSON')
  .action((_topic: string, options: ExplainOptions) =>
    run(async (given: ExplainOptions) => (await import('./explain.ts')).explain(given))(options),
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

/** Read the arguments of this process and do what they say. */
export async function runCommandLine(): Promise<void> {
  await program.parseAsync(withCommand(process.argv.slice(2)), { from: 'user' });
}

/** Options alone belong to `start`. As its default command it would take a mistyped one for an argument. */
function withCommand(given: readonly string[]): string[] {
  const [first = '--'] = given;
  const isStart = first.startsWith('-') && first !== '-h' && first !== '--help';
  return isStart ? ['start', ...given] : [...given];
}

/** Exit codes: 0 done, 1 the command found a failure, 2 wrong arguments or configuration, 3 see `register` and `explain`. */
function run<T>(command: (options: T) => Promise<number>): (options: T) => Promise<void> {
  return async (options) => {
    try {
      process.exitCode = await command(options);
    } catch (error) {
      const code = codeOf(error);
      const message = messageOf(error);
      if ((options as JsonOption).json)
        console.log(JSON.stringify({ ok: false, code, message, next: null }));
      else console.error(`vcx: ${code}: ${message}`);
      if (code === 'INTERNAL' && error instanceof Error) console.error(error.stack);
      process.exitCode = code === 'CONFIG_INVALID' ? 2 : 1;
    }
  };
}
