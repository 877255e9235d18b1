/**
 * What a plug-in is: an object with up to three handlers.
 * May import: context, env, notification.
 */
import type { Context } from './context.ts';
import type { Env } from './env.ts';
import type { NotificationContext, NotificationEvent } from './notification.ts';

/**
 * A plug-in. Every handler is optional, one at least must be there. An app with a `fetch` method,
 * such as a Hono app, is one as it is.
 */
export interface Plugin<E extends Env = Env> {
  /** Answers an API call. A throw becomes a 502 with a code; the caller never sees the stack. */
  fetch?(request: Request, env: E, ctx: Context): Response | Promise<Response>;
  /**
   * Takes a vCloud notification. When it returns, the event is done with; when it throws, the event comes again after
   * a pause, and is parked after `notificationDelivery.maxAttempts`. What it returns is not looked at.
   */
  notification?(event: NotificationEvent, env: E, ctx: NotificationContext): unknown;
  /**
   * Looks at, and may replace, vCloud's own answer to a call that a response filter matched.
   * `undefined` leaves it as it was.
   */
  response?(
    response: Response,
    env: E,
    ctx: Context,
  ): Response | undefined | Promise<Response | undefined>;
}

/**
 * Gives a plug-in its types; does nothing at run time.
 *
 * @example
 * export default definePlugin({
 *   fetch: (request, env, ctx) => Response.json({ hello: ctx.caller.user }),
 * });
 */
export function definePlugin<E extends Env = Env, P extends Plugin<E> = Plugin<E>>(
  plugin: P & Plugin<E>,
): P {
  return plugin;
}
