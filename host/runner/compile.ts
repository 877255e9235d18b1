/**
 * The compile-only program: turns scripts into V8 code caches for runners that have the same flags.
 * A plug-in's script is compiled and never run here; the prelude is trusted and run once with stubs, so that the
 * functions which V8 compiles lazily are in its cache too.
 * May import: runner.
 */
import { createContext, Script } from 'node:vm';
import type { DecodedFrame } from './codec.ts';
import { SCRIPT_END } from './frames.ts';
import { die, openLink } from './link.ts';
import { createWarmUpScope, warmUp, WARM_UP_PLUGIN } from './warm-up.ts';

const link = openLink((frame) => {
  // A script that can not be compiled gets no cache: the host sees the end of this process.
  compile(frame).catch(die);
});
link.send({ type: 'ready' });

async function compile(frame: DecodedFrame): Promise<void> {
  if (frame.type === 'prelude') {
    link.send({ type: 'preludeCache', body: await compilePrelude(frame.body) });
  } else if (frame.type === 'main') {
    const script = new Script(frame.body + SCRIPT_END, { filename: 'plugin:main.js' });
    link.send({ type: 'mainCache', body: script.createCachedData() });
  }
}

async function compilePrelude(source: string): Promise<Uint8Array> {
  const script = new Script(source, { filename: 'vcx:prelude' });
  const scope = createWarmUpScope();
  const context = createContext(scope.globals);
  script.runInContext(context);
  new Script(WARM_UP_PLUGIN).runInContext(context);
  await warmUp(scope);
  return script.createCachedData();
}
