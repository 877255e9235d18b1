/**
 * `vcx plugin …`: what plug-in authors type.
 * May import: everything.
 */
import { Command, InvalidArgumentError, Option } from 'commander';

import type { DevOptions } from './dev/dev.ts';
import type { KeygenOptions } from './keygen.ts';
import { createPlugin, TEMPLATE_NAMES, type NewOptions } from './new.ts';
import { remoteCommands } from './remote/commands.ts';
import { answerUsage } from '../usage.ts';
import { answer, type CommonOptions } from './run.ts';

// What a command needs is loaded when it runs: most need no compiler and no host.
const bundles = () => import('./bundle.ts');

/** Add the commands below `vcx plugin`; returns that command, so that further ones can be added to it. */
export function pluginCommands(program: Command): Command {
  const plugin = program
    .command('plugin')
    .description(
      'make, test, pack, sign, deploy and look after plug-ins (exit codes: 0 done, 1 failed, 2 wrong use)',
    );
  addWorkshop(plugin);
  addBundles(plugin);
  addKeys(plugin);
  remoteCommands(plugin);
  return plugin;
}

/** `vcx` with these commands alone. */
export function pluginProgram(): Command {
  const program = answerUsage(new Command('vcx'));
  pluginCommands(program);
  return program;
}

function addWorkshop(plugin: Command): void {
  plugin
    .command('new [name]')
    .description('write the first files of a plug-in; asks for what is not given')
    .addOption(new Option('-t, --template <template>', 'kind of source').choices(TEMPLATE_NAMES))
    .option('-y, --yes', 'ask nothing, take the defaults')
    .option('-d, --dir <folder>', 'where to (default: the name)')
    .option('--json', 'answer in JSON')
    .action((name: string | undefined, options: NewOptions & CommonOptions) =>
      answer(options, (progress) => {
        const quiet = options.json ? { ...options, yes: true } : options;
        return createPlugin(name, quiet, progress);
      }),
    );
  plugin
    .command('dev [folder]')
    .description('run it on a simulated cell with the limits of production; a save loads it anew')
    .option('--port <port>', 'of the simulated cell (default: a free one)', portNumber)
    .option('--config <file>', 'JSON file for env.config of the sample orgs, read at every reload')
    .option(
      '--secret <name=file>',
      'secret of the sample orgs, from a file; can be given again',
      (pair: string, before: string[] | undefined) => [...(before ?? []), pair],
    )
    .option('--json', 'a line of JSON for everything that happens')
    .action((folder: string | undefined, options: DevOptions) =>
      answer({ ...options, jsonLines: true }, async () =>
        (await import('./dev/dev.ts')).devPlugin(folder ?? '.', options),
      ),
    );
  plugin
    .command('test [folder] [filters...]')
    .description('run its Vitest tests against a real isolate; report headroom for each quota')
    .option('--json', 'answer in JSON; the report of the tests goes to standard error')
    .action((folder: string | undefined, filters: string[], options: CommonOptions) =>
      answer(options, async () =>
        (await import('./test.ts')).testPlugin(folder ?? '.', filters, options),
      ),
    );
  plugin.command('harness <folder>', { hidden: true }).action(async (folder: string) => {
    process.exitCode = await (await import('./harness.ts')).harness(folder);
  });
}

function addBundles(plugin: Command): void {
  plugin
    .command('pack [folder]')
    .description('make a .vcx bundle; names Node built-ins that an isolate does not have')
    .option('-o, --out <file>', 'where to (default: NAME-VERSION.vcx in the folder)')
    .option('--json', 'answer in JSON')
    .action((folder: string | undefined, options: { out?: string } & CommonOptions) =>
      answer(options, async (progress) => (await bundles()).pack(folder ?? '.', options, progress)),
    );
  plugin
    .command('inspect <file>')
    .description('show what is in a bundle, trusting nobody')
    .option('--json', 'answer in JSON')
    .action((file: string, options: CommonOptions) =>
      answer(options, async () => (await bundles()).inspect(file)),
    );
  plugin
    .command('verify <file>')
    .description('is the bundle whole, and signed by somebody trusted?')
    .option('--trust <file>', 'trust store (default: $VCX_TRUST_FILE)')
    .option('--json', 'answer in JSON')
    .action((file: string, options: { trust?: string } & CommonOptions) =>
      answer(options, async () => (await bundles()).verify(file, options)),
    );
}

function addKeys(plugin: Command): void {
  plugin
    .command('keygen')
    .description('make an Ed25519 key to sign bundles with')
    .option('-o, --out <file>', 'private key, PEM', 'vcx-key.pem')
    .option('--owner <id>', 'who publishes: a name, or the URN of an org', 'provider')
    .addOption(
      new Option('--kind <kind>', 'of the owner').choices(['provider', 'org']).default('provider'),
    )
    .option('--namespace <prefix...>', 'namespaces of its plug-ins', ['org.example'])
    .option('--days <number>', 'until it expires', wholeNumber, 365)
    .option('--trust <file>', 'trust store to add the key to; made when it is not there')
    .option('--json', 'answer in JSON')
    .action((options: KeygenOptions & CommonOptions) =>
      answer(options, async () => (await import('./keygen.ts')).keygen(options)),
    );
  plugin
    .command('sign <file>')
    .description('sign a bundle as its owner, or beside the owner')
    .requiredOption('--key <file>', 'private key, PEM')
    .option('--counter', "keep the owner's signature and put the provider's beside it")
    .option('-o, --out <file>', 'where to (default: in place)')
    .option('--json', 'answer in JSON')
    .action(
      (file: string, options: { key: string; counter?: boolean; out?: string } & CommonOptions) =>
        answer(options, async () => (await bundles()).sign(file, options)),
    );
}

function portNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65_535)
    throw new InvalidArgumentError('a port, 1 to 65535');
  return value;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 36_500)
    throw new InvalidArgumentError('a whole number of days, at least 1');
  return value;
}
