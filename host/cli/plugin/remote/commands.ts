/**
 * The commands of `vcx plugin` that talk to a running host.
 * May import: everything.
 */
import { type Command, InvalidArgumentError } from 'commander';

import { changes, type ChangesOptions } from './changes.ts';
import type { DeployOptions } from './deploy.ts';
import type { RemoteOptions } from './endpoint.ts';
import { eventCommands } from './events.ts';
import { approve, list, remove, rollback, setEnabled, show } from './installed.ts';
import { logs, type LogsOptions } from './logs.ts';
import { remote } from './remote.ts';
import { createToken, deleteToken, listTokens, secret } from './secrets.ts';
import { config, limits, pin, tenants } from './tenants.ts';

/** Add them below `vcx plugin`. */
export function remoteCommands(plugin: Command): void {
  addDeploy(plugin);
  addInstalled(plugin);
  addLogs(plugin);
  eventCommands(plugin, command);
  addTenants(plugin);
  addSettings(plugin);
  addTokens(plugin);
}

type Of<T> = T & RemoteOptions;

/** A command with the options that all commands have that talk to a running host. */
export function command(parent: Command, usage: string, description: string): Command {
  return parent
    .command(usage)
    .description(description)
    .option(
      '--operator <url>',
      'operator endpoint of the host (default: $VCX_OPERATOR_URL, or that of the host of this folder)',
    )
    .option(
      '--token-file <file>',
      'file with the token (default: $VCX_OPERATOR_TOKEN, or that of the host of this folder)',
    )
    .option('--json', 'answer in JSON');
}

function addDeploy(plugin: Command): void {
  command(plugin, 'deploy [path]', 'upload a bundle, or pack a folder and upload it')
    .option('--key <file>', 'sign it with this private key, PEM')
    .option('--force', 'take a version older than the current one')
    .option('--approve', 'as the operator: allow at once what it asks for')
    .action((path: string | undefined, options: DeployOptions) =>
      remote(options, async (client, progress) => {
        // It brings the compiler, which no other command here needs.
        const { deploy } = await import('./deploy.ts');
        return deploy(client, path ?? '.', options, progress);
      }),
    );
}

function addInstalled(plugin: Command): void {
  command(plugin, 'list', 'what is installed').action((options: RemoteOptions) =>
    remote(options, list),
  );
  command(plugin, 'show <name>', 'versions, state, and what waits for approval').action(
    (name: string, options: RemoteOptions) => remote(options, (client) => show(client, name)),
  );
  command(
    plugin,
    'approve <name> [version]',
    'show what the waiting version asks for beyond what is allowed, and allow it',
  )
    .option('--dry-run', 'only show it')
    .action((name: string, version: string | undefined, options: Of<{ dryRun?: boolean }>) =>
      remote(options, (client) => approve(client, name, version, options)),
    );
  command(plugin, 'rollback <name> [version]', 'back to the version before, or to this one').action(
    (name: string, version: string | undefined, options: RemoteOptions) =>
      remote(options, (client) => rollback(client, name, version)),
  );
  command(plugin, 'remove <name>', 'with all versions, settings and secrets')
    .option('--yes', 'it is meant')
    .action((name: string, options: Of<{ yes?: boolean }>) =>
      remote(options, (client) => remove(client, name, options)),
    );
  command(plugin, 'changes', 'the audit log, the latest first')
    .option('--plugin <name>', 'only of this plug-in')
    .option('--org <id>', 'only of this org')
    .option('--before <id>', 'only entries before this one', wholeNumber)
    .option('--limit <number>', 'entries at most', wholeNumber, 100)
    .action((options: Of<ChangesOptions>) => remote(options, (client) => changes(client, options)));
}

function addLogs(plugin: Command): void {
  command(plugin, 'logs <name>', 'what it wrote and what its calls cost, on the host that is asked')
    .option('-f, --follow', 'go on until Ctrl-C, also over a restart of the host')
    .option('--org <id>', 'only of this org')
    .option('-n, --lines <number>', 'how many that are there already', wholeNumber, 100)
    .action((name: string, options: LogsOptions) =>
      remote(options, (client) => logs(client, name, options)),
    );
}

function addTenants(plugin: Command): void {
  for (const verb of ['enable', 'disable'] as const)
    command(plugin, `${verb} <name>`, `${verb} it for everybody, or for one org`)
      .option('--org <id>', 'for this org alone')
      .action((name: string, options: Of<{ org?: string }>) =>
        remote(options, (client) => setEnabled(client, name, verb === 'enable', options)),
      );
  command(plugin, 'tenants <name>', 'which orgs have it, and what is set for them')
    .option('--all', 'all orgs have it')
    .option('--none', 'no org has it')
    .option('--only <org...>', 'these orgs have it, and no others')
    .action((name: string, options: Of<{ all?: boolean; none?: boolean; only?: string[] }>) =>
      remote(options, (client) => tenants(client, name, options)),
    );
  command(plugin, 'pin <name>', 'keep an org with one version')
    .requiredOption('--org <id>', 'which')
    .option('--version <version>', 'the version')
    .option('--none', 'take the pin away')
    .action((name: string, options: Of<{ org: string; version?: string; none?: boolean }>) =>
      remote(options, (client) => pin(client, name, options)),
    );
}

function addSettings(plugin: Command): void {
  command(plugin, 'config <name>', "show or set an org's configuration")
    .requiredOption('--org <id>', 'which')
    .option('--set <file>', 'JSON; - for standard input')
    .option('--clear', 'take it away')
    .action((name: string, options: Of<{ org: string; set?: string; clear?: boolean }>) =>
      remote(options, (client) => config(client, name, options)),
    );
  command(plugin, 'limits <name>', "show or set an org's limits")
    .requiredOption('--org <id>', 'which')
    .option('--set <limit=value...>', 'such as cpuMs=50; others stay')
    .option('--clear', 'take away those that are set')
    .action((name: string, options: Of<{ org: string; set?: string[]; clear?: boolean }>) =>
      remote(options, (client) => limits(client, name, options)),
    );
  command(
    plugin,
    'secret <name> [key]',
    'set a secret of an org, from standard input or a prompt; without KEY, list the names',
  )
    .requiredOption('--org <id>', 'which')
    .option('--delete', 'take it away')
    .action(
      (name: string, key: string | undefined, options: Of<{ org: string; delete?: boolean }>) =>
        remote(options, (client) => secret(client, name, key, options)),
    );
}

function addTokens(plugin: Command): void {
  const token = plugin.command('token').description('tokens of owners, for the operator');
  command(token, 'create <name>', 'make a token with which an owner deploys; it is shown once')
    .requiredOption('--owner <id>', 'as the trust store has it: a name, or the URN of an org')
    .option('-o, --out <file>', 'write it to a new file instead of showing it')
    .action((name: string, options: Of<{ owner: string; out?: string }>) =>
      remote(options, (client) => createToken(client, name, options)),
    );
  command(token, 'list', 'which there are').action((options: RemoteOptions) =>
    remote(options, listTokens),
  );
  command(token, 'delete <name>', 'from now on it opens nothing').action(
    (name: string, options: RemoteOptions) =>
      remote(options, (client) => deleteToken(client, name)),
  );
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a whole number');
  return value;
}
