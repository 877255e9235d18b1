/**
 * The way into the extension tree, and the AMQP settings.
 * May import: caller, documents, element, represent; hono.
 */
import type { Hono } from 'hono';

import type { CellEnv } from './caller.ts';
import { sendDocument, viewOf } from './documents.ts';
import { type Element, element, leaf } from './element.ts';
import { EXTENSION, type View, link } from './represent.ts';

const ADMIN = 'application/vnd.vmware.admin.';

/** What the cell says about the broker when it is asked. */
export interface AmqpSettings {
  readonly host: string;
  readonly port: number;
  readonly vhost: string;
  readonly username: string;
  readonly ssl: boolean;
  readonly exchange: string;
  readonly prefix: string;
}

interface DiscoveryOptions {
  /** `http://127.0.0.1:PORT` */
  readonly base: string;
  readonly amqp: AmqpSettings;
}

function settingsElement({ base, amqp }: DiscoveryOptions, format: View['format']): Element {
  const path = `${EXTENSION}/settings/amqp`;
  return element(
    'vmext:AmqpSettings',
    { href: `${base}${path}`, type: `${ADMIN}amqpSettings+${format}` },
    [
      leaf('vmext:AmqpHost', amqp.host),
      leaf('vmext:AmqpPort', amqp.port),
      leaf('vmext:AmqpUsername', amqp.username),
      leaf('vmext:AmqpExchange', amqp.exchange),
      leaf('vmext:AmqpVHost', amqp.vhost),
      leaf('vmext:AmqpUseSSL', amqp.ssl),
      leaf('vmext:AmqpSslAcceptAll', false),
      leaf('vmext:AmqpPrefix', amqp.prefix),
    ],
  );
}

/** `GET /api/admin/extension` and the settings below it. */
export function discoveryRoutes(app: Hono<CellEnv>, options: DiscoveryOptions): void {
  const { base } = options;
  app.get(EXTENSION, (c) => {
    const view = viewOf(c, base);
    const links = [
      link(view, 'down', `${EXTENSION}/service`, `${ADMIN}extensionServices`),
      link(view, 'down', `${EXTENSION}/settings/amqp`, `${ADMIN}amqpSettings`),
    ];
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
  app.get(`${EXTENSION}/settings/amqp`, (c) =>
    sendDocument(c, {
      document: settingsElement(options, viewOf(c, base).format),
      type: 'AmqpSettings',
      media: `${ADMIN}amqpSettings`,
    }),
  );
}
