/**
 * The compile-only program: turns scripts into V8 code caches for runners that have the same flags.
 * A plug-in's script is compiled and never run here; the prelude is trusted and run once with stubs, so that the
 * functions which V8 compiles lazily are in its cache too.
 * May import: runner.
 */
import { createContext, Script } from 'node:vm';
import type { DecodedFrame } from './codec.ts';
import { openLink } from './link.ts';

const link = openLink(onFrame);
link.send({ type: 'ready' });

function onFrame(frame: DecodedFrame): void {
  if (frame.type === 'prelude') {
    link.send({ type: 'preludeCache', body: compilePrelude(frame.body) });
  } else if (frame.type === 'main') {
    const script = new Script(frame.body, { filename: 'plugin:main.js' });
    link.send({ type: 'mainCache', body: script.createCachedData() });
  }
}

function compilePrelude(source: string): Uint8Array {
  const script = new Script(source, { filename: 'vcx:prelude' });
  const stubs = {
    __vcx_post: () => undefined,
    __vcx_random: (count: number) => Buffer.alloc(count).toString('base64'),
    __vcx_domainToASCII: (host: string) => host,
  };
  script.runInContext(createContext(stubs));
  return script.createCachedData();
}
