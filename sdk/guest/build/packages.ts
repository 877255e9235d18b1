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
  'vcx:scope-module': at('platform/scope.ts'),
  'vcx:source-body-module': at('platform/source-body.ts'),
  'vcx:primordials': at('primordials.ts'),
  'vcx:plain-state-module': at('platform/plain-state.ts'),
  'vcx:node-module': at('stubs/node.ts'),
  'vcx:core-util-module': at('stubs/core-util.ts'),
  tr46: at('stubs/tr46.ts'),
};

/** A module of ours as plain values: esbuild would wrap it anew, name by name, for each `require`. */
const asPlain = (name: string): string => `module.exports = {...require('${name}')}`;

/** Modules of a few words. */
const INLINE: Readonly<Record<string, string>> = {
  'vcx:scope': `module.exports = require('vcx:scope-module').scope`,
  'vcx:symbols': `exports.kConstruct = Symbol('constructable')`,
  'vcx:source-body': asPlain('vcx:source-body-module'),
  'vcx:node': asPlain('vcx:node-module'),
  'vcx:plain-state': asPlain('vcx:plain-state-module'),
  'vcx:core-util': asPlain('vcx:core-util-module'),
  'node:util': `module.exports = require('vcx:node')`,
  'node:util/types': `module.exports = require('vcx:node')`,
  'node:stream': `module.exports = require('vcx:node')`,
  'node:crypto': `module.exports = require('vcx:node')`,
  'node:perf_hooks': `module.exports = require('vcx:node')`,
  'node:worker_threads': `module.exports = require('vcx:node')`,
  'node:assert': `module.exports = require('vcx:node').assert`,
  'vcx:unused': `module.exports = {}`,
  'node:zlib': `module.exports = {}`,
  'node:sqlite': `module.exports = {}`,
  'node:stream/web': `module.exports = {}`,
};

/** Put in front of files that would otherwise read these names from the global object at call time. */
const SCOPE = [
  'AbortController',
  'AbortSignal',
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
/** For what is evaluated when the global one has been taken away. */
const LATE_PREFIX = `const {SharedArrayBuffer} = require('vcx:scope');`;
const STREAMS_PREFIX = `import {transfer as vcxTransfer} from 'vcx:primordials';`;

function prefixFor(file: string, source: string): string {
  if (file.startsWith('undici/')) {
    const names = SCOPE.filter((name) => new RegExp(`\\b${name}\\b`).test(source));
    return names.length === 0 ? '' : `const {${names.join(',')}} = require('vcx:scope');`;
  }
  if (/^(?:webidl-conversions|whatwg-url)\//.test(file))
    return source.includes('SharedArrayBuffer') ? LATE_PREFIX : '';
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
  // The one drags in sockets, the other makes eighty symbols of which one is used.
  build.onResolve({ filter: /core\/(?:util|symbols)$/ }, ({ path: name, importer }) => {
    if (!packagePath(importer).startsWith('undici/')) return null;
    return { path: name.endsWith('util') ? 'vcx:core-util' : 'vcx:symbols', namespace: 'inline' };
  });
  // It checks what is typed into address bars; no part of the URL class asks for it.
  build.onResolve({ filter: /url-string-validator$/ }, () => ({
    path: 'vcx:unused',
    namespace: 'inline',
  }));
  build.onResolve({ filter: /^urlpattern-polyfill\/urlpattern$/ }, ({ resolveDir, kind }) =>
    build.resolve('urlpattern-polyfill', { resolveDir, kind }),
  );
}

/** Patches packages; the build fails when a patched file was not met. */
export function keptPackages(): Plugin {
  return {
    name: 'kept-packages',
    setup(build) {
      const met = new Set<string>();
      resolveStandIns(build);
      build.onLoad(
        {
          filter:
            /node_modules.(?:@exodus.bytes|undici|web-streams-polyfill|webidl-conversions|whatwg-url)./,
        },
        async (args) => {
          const file = packagePath(args.path);
          met.add(file);
          const source = patch(file, await readFile(args.path, 'utf8'));
          return { contents: `${prefixFor(file, source)}${source}`, loader: 'js' };
        },
      );
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
