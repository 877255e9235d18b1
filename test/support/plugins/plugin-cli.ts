/** `vcx plugin …` by itself, without the commands that run a host. */
import { pluginProgram } from '../../../host/cli/plugin/commands.ts';

await pluginProgram().parseAsync();
