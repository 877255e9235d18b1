/** `vcx plugin …` by itself, without the commands that run a host. */
import { Command } from 'commander';

import { pluginCommands } from '../../host/cli/plugin/commands.ts';

const program = new Command('vcx');
pluginCommands(program);
program.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
await program.parseAsync();
