/**
 * `@vcx/sdk`: what plug-in code imports.
 * May import: everything in this folder.
 */
export type { Caller, Context } from './context.ts';
export type {
  Binding,
  Env,
  EventOptions,
  Events,
  Json,
  KvEntry,
  KvList,
  KvListOptions,
  KvNamespace,
  KvPutOptions,
  Secrets,
  Vcloud,
  VcloudQuery,
  VcloudQueryType,
  VcloudRecords,
  VcloudRequest,
} from './env.ts';
export { type BindingError, isBindingError } from './errors.ts';
export type {
  BlockingTask,
  EventEntity,
  NotificationCaller,
  NotificationContext,
  NotificationEvent,
  ResolvedEntity,
} from './notification.ts';
export { type Plugin, definePlugin } from './plugin.ts';
export type { Task, TaskOptions } from './task.ts';
