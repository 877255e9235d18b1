/**
 * The way into the extension tree.
 * May import: caller, documents, element, represent; hono.
 */
import type { Hono } from 'hono';

import { sendDocument, viewOf } from '../documents/documents.ts';
import { element } from '../documents/element.ts';
import { EXTENSION, link } from '../documents/represent.ts';
import type { CellEnv } from '../sessions/caller.ts';

const ADMIN = 'application/vnd.vmware.admin.';

/** What hangs below the extension, by path and media type. */
const BELOW = [
  ['service', 'extensionServices'],
  ['blockingTasks', 'blockingTaskList'],
  ['settings/amqp', 'amqpSettings'],
  ['settings/notifications', 'notificationsSettings'],
  ['settings/blockingTask', 'blockingTaskSettings'],
  ['settings/blockingTask/operations', 'taskOperationList'],
] as const;

/** `GET /api/admin/extension`; `base` is the cell's address. */
export function discoveryRoutes(app: Hono<CellEnv>, base: string): void {
  app.get(EXTENSION, (c) => {
    const view = viewOf(c, base);
    const links = BELOW.map(([path, media]) =>
      link(view, 'down', `${EXTENSION}/${path}`, `${ADMIN}${media}`),
    );
    const attributes = {
      href: `${base}${EXTENSION}`,
      type: `${ADMIN}vmwExtension+${view.format}`,
    };
    return sendDocument(c, {
      document: element('vmext:VMWExtension', attributes, links),
      type: 'VMWExtension',
      media: `${ADMIN}vmwExtension`,
    });
  });
}
