/** The global names of plug-in code, for `"types": ["@vcx/sdk/globals"]` in a tsconfig. */
/// <reference path="./guest/globals/index.d.ts" />
/// <reference path="./guest/globals/fetch.d.ts" />
/// <reference path="./guest/globals/streams.d.ts" />
