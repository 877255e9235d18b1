/**
 * Why a plug-in's script could not be run, with the place in it.
 * May import: nothing.
 */

const MAX_REASON = 1_000;

/** Syntax errors name the place in their message; of what a script threw the stack knows it. */
export function loadFailure(error: unknown): string {
  if (!(error instanceof Error)) return 'the script threw something that is no error';
  const { message, stack = '' } = error;
  const [place] = /plugin:main\.js:\d+:\d+/.exec(stack) ?? [];
  const known = place === undefined || message.includes('plugin:main.js:');
  return (known ? message : `${message} (${place})`).slice(0, MAX_REASON);
}
