/**
 * `@vcx/sdk`: what plug-in code imports.
 * May import: everything in this folder.
 */
export type { Caller, Context } from './context.ts';
export type {
  Binding,
  Env,
  Json,
  KvEntry,
  KvList,
  KvListOptions,
  KvNamespace,
  KvPutOptions,
} from './env.ts';
export { type BindingError, isBindingError } from './errors.ts';
export { type NotificationEvent, type Plugin, definePlugin } from './plugin.ts';
