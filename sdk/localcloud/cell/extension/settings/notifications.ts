/**
 * The switch that turns notifications on and off.
 * May import: caller, documents, element, represent, settings, store; hono.
 */
import { type Context, Hono } from 'hono';

import { readDocument, sendDocument, viewOf } from '../../documents/documents.ts';
import { element, leaf, textOf } from '../../documents/element.ts';
import { EXTENSION, link } from '../../documents/represent.ts';
import type { CellEnv } from '../../sessions/caller.ts';
import type { Place } from '../../tenant/routes.ts';

const MEDIA = 'application/vnd.vmware.admin.notificationsSettings';
const PATH = `${EXTENSION}/settings/notifications`;
const ROOT = {
  ns: 'vmext',
  name: 'NotificationsSettings',
  type: 'NotificationsSettings',
} as const;

/** Routes of `settings/notifications`. */
export function notificationSettingsRoutes({ store, base }: Place): Hono<CellEnv> {
  const app = new Hono<CellEnv>();
  const answer = (c: Context) => {
    const view = viewOf(c, base);
    const attributes = { href: `${base}${PATH}`, type: `${MEDIA}+${view.format}` };
    const document = element('vmext:NotificationsSettings', attributes, [
      link(view, 'edit', PATH, MEDIA),
      leaf('vmext:EnableNotifications', store.settings.notifications),
    ]);
    return sendDocument(c, { document, type: 'NotificationsSettings', media: MEDIA });
  };
  app.get(PATH, answer);
  app.put(PATH, async (c) => {
    const node = await readDocument(c, ROOT);
    const text = textOf(node.children, 'EnableNotifications')?.trim();
    store.settings.notifications = text === 'true' || text === '1';
    return answer(c);
  });
  return app;
}
