/** `vcx plugin dev --json` as a child process: what happens, as values, and calls through its cell. */
import { runProgram, type Program } from '../program.ts';
import { waitFor } from '../wait.ts';

export interface DevEvent {
  readonly type: string;
  readonly [key: string]: unknown;
}

export interface Dev extends AsyncDisposable {
  readonly program: Program;
  /** All that was said so far. */
  events(): DevEvent[];
  /** The first event after those that were taken before that fits; it is taken. */
  next(type: string, fits?: (event: DevEvent) => boolean): Promise<DevEvent>;
  /** Call a path of the plug-in as the user that was named. */
  call(path: string, init?: RequestInit): Promise<{ status: number; text: string }>;
}

/** Resolves when it is ready. */
export async function openDev(args: string[]): Promise<Dev> {
  await using stack = new AsyncDisposableStack();
  const program = stack.use(runProgram(['plugin', 'dev', ...args, '--json']));
  let taken = 0;
  const events = () =>
    program
      .output()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as DevEvent);
  const next: Dev['next'] = async (type, fits = () => true) => {
    let found: DevEvent | undefined;
    await waitFor(
      () => {
        const at = events().findIndex(
          (event, i) => i >= taken && event.type === type && fits(event),
        );
        if (at < 0) return false;
        found = events()[at];
        taken = at + 1;
        return true;
      },
      () => `${type} after event ${taken}:\n${program.output()}`,
      60_000,
    );
    if (!found) throw new Error('unreachable');
    return found;
  };
  const ready = await next('ready');
  const { cell, user } = ready as unknown as { cell: string; user: { token: string } };
  const opened = stack.move();
  return {
    program,
    events,
    next,
    async call(path, init = {}) {
      const headers = { 'x-vcloud-authorization': user.token };
      const response = await fetch(`${cell}${path}`, { ...init, headers });
      return { status: response.status, text: await response.text() };
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
