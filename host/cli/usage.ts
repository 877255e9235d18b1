/**
 * What the command line says to wrong arguments: the reason and the usage, or with `--json` an answer like any other.
 * May import: kernel.
 */
import type { Command } from 'commander';

/** Exit code for wrong arguments; help that was asked for is 0. */
const USAGE = 2;

/** For commands that are made below it too: to be called before they are. */
export function answerUsage(command: Command): Command {
  const wantsJson = asksForJson(process.argv.slice(2));
  return command
    .showHelpAfterError(!wantsJson)
    .configureOutput({
      outputError: (text, write) => (wantsJson ? console.log(usageJson(text)) : write(text)),
    })
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : USAGE));
}

/** What follows `--` are no options. */
function asksForJson(given: readonly string[]): boolean {
  const end = given.indexOf('--');
  return (end < 0 ? given : given.slice(0, end)).includes('--json');
}

/** On one line, since `dev` answers in lines. */
function usageJson(text: string): string {
  const message = text
    .replace(/^error: /, '')
    .replaceAll(/\s*\n\s*/g, ' ')
    .trim();
  return JSON.stringify({ ok: false, code: 'CONFIG_INVALID', message, next: 'see --help' });
}
