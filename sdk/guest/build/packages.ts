/**
 * The esbuild plug-in that makes kept packages fit into an isolate: stand-ins for Node's built-ins, patches,
 * and captured names in front of their files.
 * May import: build/patches.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin, PluginBuild } from 'esbuild';
import { PATCHES, PRIVATE_NAMES, patch } from './patches.ts';

const guest = fileURLToPath(new URL('../', import.meta.url));
const at = (name: string): string => path.join(guest, name);

/** Modules that packages ask for, and the file that stands for them. */
const INSTEAD: Readonly<Record<string, string>> = {
  'vcx:scope': at('platform/scope.ts'),
  'vcx:source-body': at('platform/source-body.ts'),
  'vcx:primordials': at('primordials.ts'),
  'vcx:node': at('stubs/node.ts'),
  'node:util': at('stubs/node.ts'),
  'node:util/types': at('stubs/node.ts'),
  'node:stream': at('stubs/node.ts'),
  'node:crypto': at('stubs/node.ts'),
  'node:perf_hooks': at('stubs/node.ts'),
  'node:worker_threads': at('stubs/node.ts'),
  tr46: at('stubs/tr46.ts'),
};

/** Modules of a few words. */
const INLINE: Readonly<Record<string, string>> = {
  'node:assert': `module.exports = require('vcx:node').assert`,
  'node:zlib': `module.exports = {}`,
  'node:sqlite': `module.exports = {}`,
  'node:stream/web': `module.exports = {}`,
};

/** Put in front of files that would otherwise read these names from the global object at call time. */
const SCOPE = [
  'AbortController',
  'Blob',
  'Buffer',
  'DOMException',
  'File',
  'FinalizationRegistry',
  'MessagePort',
  'ReadableStream',
  'TextDecoder',
  'TextDecoderStream',
  'TextEncoder',
  'TransformStream',
  'URL',
  'URLSearchParams',
  'WeakRef',
  'queueMicrotask',
];
const UNDICI_PREFIX = `const {${SCOPE.join(',')},AbortSignal} = require('vcx:scope');`;
const STREAMS_PREFIX = `import {transfer as vcxTransfer} from 'vcx:primordials';`;

function prefixFor(file: string): string {
  if (file.startsWith('undici/')) return UNDICI_PREFIX;
  return file.startsWith('web-streams-polyfill/') ? STREAMS_PREFIX : '';
}

/** `undici/lib/web/fetch/body.js` of a path below node_modules. */
function packagePath(file: string): string {
  const marker = `${path.sep}node_modules${path.sep}`;
  const start = file.lastIndexOf(marker) + marker.length;
  return file.slice(start).split(path.sep).join('/');
}

function resolveStandIns(build: PluginBuild): void {
  build.onResolve({ filter: /^(?:vcx:|node:|tr46$)/ }, ({ path: name, importer }) => {
    const file = INSTEAD[name];
    if (file !== undefined) return { path: file };
    if (name in INLINE) return { path: name, namespace: 'inline' };
    return { errors: [{ text: `${importer} asks for ${name}, which has no stand-in` }] };
  });
  build.onLoad({ filter: /.*/, namespace: 'inline' }, ({ path: name }) => ({
    contents: INLINE[name] ?? '',
    resolveDir: guest,
  }));
  // Its tables of multi-byte encodings are three quarters of a megabyte of source; guests have the others.
  build.onResolve({ filter: /^@exodus\/bytes\/encoding\.js$/ }, ({ resolveDir, kind }) =>
    build.resolve('@exodus/bytes/encoding-lite.js', { resolveDir, kind }),
  );
  build.onResolve({ filter: /core\/util$/ }, ({ importer }) =>
    packagePath(importer).startsWith('undici/') ? { path: at('stubs/core-util.ts') } : null,
  );
  build.onResolve({ filter: /^urlpattern-polyfill\/urlpattern$/ }, ({ resolveDir, kind }) =>
    build.resolve('urlpattern-polyfill', { resolveDir, kind }),
  );
}

/** Patches undici and web-streams-polyfill; the build fails when a patched file was not met. */
export function keptPackages(): Plugin {
  return {
    name: 'kept-packages',
    setup(build) {
      const met = new Set<string>();
      resolveStandIns(build);
      build.onLoad({ filter: /node_modules.(?:undici|web-streams-polyfill)./ }, async (args) => {
        const file = packagePath(args.path);
        met.add(file);
        const source = patch(file, await readFile(args.path, 'utf8'));
        return { contents: `${prefixFor(file)}${source}`, loader: 'js' };
      });
      build.onEnd((result) => {
        const missed = [...Object.keys(PATCHES), ...Object.keys(PRIVATE_NAMES)].filter(
          (file) => !met.has(file),
        );
        if (result.errors.length === 0 && missed.length > 0)
          throw new Error(`not part of the bundle any more: ${missed.join(', ')}`);
      });
    },
  };
}
