/**
 * The AMQP settings: read, tried out, and changed as far as a running local cloud can.
 * May import: caller, check, documents, element, fault, represent, settings, store; hono.
 */
import { type Context, Hono } from 'hono';

import { type BrokerAddress, checkBroker } from '../../amqp/check.ts';
import { readDocument, sendDocument, viewOf } from '../../documents/documents.ts';
import { type Element, element, leaf, textOf } from '../../documents/element.ts';
import { VcloudFault } from '../../documents/fault.ts';
import { EXTENSION, type View, link } from '../../documents/represent.ts';
import type { CellEnv } from '../../sessions/caller.ts';
import type { Place } from '../../tenant/routes.ts';

const ADMIN = 'application/vnd.vmware.admin.';
const MEDIA = `${ADMIN}amqpSettings`;
export const AMQP_SETTINGS = `${EXTENSION}/settings/amqp`;
const ROOT = { ns: 'vmext', name: 'AmqpSettings', type: 'AmqpSettings' } as const;

/** The broker that the cell is connected to; the exchange for notifications is among the changeable settings. */
export interface AmqpSettings extends BrokerAddress {
  readonly prefix: string;
}

interface AmqpPlace extends Place {
  readonly amqp: AmqpSettings;
}

function settingsElement({ store, amqp }: AmqpPlace, view: View): Element {
  return element(
    'vmext:AmqpSettings',
    { href: `${view.base}${AMQP_SETTINGS}`, type: `${MEDIA}+${view.format}` },
    [
      link(view, 'edit', AMQP_SETTINGS, MEDIA),
      link(view, 'test', `${AMQP_SETTINGS}/action/test`, MEDIA),
      leaf('vmext:AmqpHost', amqp.host),
      leaf('vmext:AmqpPort', amqp.port),
      leaf('vmext:AmqpUsername', amqp.username),
      leaf('vmext:AmqpExchange', store.settings.exchange),
      leaf('vmext:AmqpVHost', amqp.vhost),
      leaf('vmext:AmqpUseSSL', amqp.ssl),
      leaf('vmext:AmqpSslAcceptAll', false),
      leaf('vmext:AmqpPrefix', amqp.prefix),
    ],
  );
}

const isTrue = (text: string | undefined) => text?.trim() === 'true' || text?.trim() === '1';

/** The broker a document names; without a password the present one is meant. */
function addressIn({ children }: Element, amqp: AmqpSettings): BrokerAddress {
  return {
    host: textOf(children, 'AmqpHost') ?? '',
    port: Number(textOf(children, 'AmqpPort')),
    vhost: textOf(children, 'AmqpVHost') ?? '',
    username: textOf(children, 'AmqpUsername') ?? '',
    password: textOf(children, 'AmqpPassword') ?? amqp.password,
    ssl: isTrue(textOf(children, 'AmqpUseSSL')),
  };
}

const FIXED = ['host', 'port', 'vhost', 'username', 'ssl', 'prefix'] as const;

/** 400 for what cannot be changed while the cells run, and for no exchange. */
function change({ store, amqp }: AmqpPlace, node: Element): void {
  const prefix = textOf(node.children, 'AmqpPrefix') ?? amqp.prefix;
  const wanted = { ...addressIn(node, amqp), prefix };
  const other = FIXED.find((name) => wanted[name] !== amqp[name]);
  if (other !== undefined)
    throw new VcloudFault(
      400,
      `AmqpSettings: the ${other} of a local cloud cannot change while it runs`,
    );
  const exchange = textOf(node.children, 'AmqpExchange')?.trim() ?? '';
  if (exchange === '' || Buffer.byteLength(exchange) > 255)
    throw new VcloudFault(400, 'AmqpSettings: AmqpExchange must have 1 to 255 bytes');
  store.settings.exchange = exchange;
}

function testElement(view: View, problem: string | undefined): Element {
  const media = `${ADMIN}amqpSettingsTest`;
  return element(
    'vmext:AmqpSettingsTest',
    { href: `${view.base}${AMQP_SETTINGS}/action/test`, type: `${media}+${view.format}` },
    [
      link(view, 'up', AMQP_SETTINGS, MEDIA),
      leaf('vmext:Valid', problem === undefined),
      ...(problem === undefined
        ? []
        : [
            element('vmext:error', {
              message: problem,
              majorErrorCode: 400,
              minorErrorCode: 'BAD_REQUEST',
            }),
          ]),
    ],
  );
}

/** Routes of `settings/amqp`. */
export function amqpSettingsRoutes(place: AmqpPlace): Hono<CellEnv> {
  const app = new Hono<CellEnv>();
  const answer = (c: Context) => {
    const document = settingsElement(place, viewOf(c, place.base));
    return sendDocument(c, { document, type: 'AmqpSettings', media: MEDIA });
  };
  app.get(AMQP_SETTINGS, answer);
  app.put(AMQP_SETTINGS, async (c) => {
    change(place, await readDocument(c, ROOT));
    return answer(c);
  });
  app.post(`${AMQP_SETTINGS}/action/test`, async (c) => {
    const address = addressIn(await readDocument(c, ROOT), place.amqp);
    const document = testElement(viewOf(c, place.base), await checkBroker(address));
    const media = `${ADMIN}amqpSettingsTest`;
    return sendDocument(c, { document, type: 'AmqpSettingsTest', media });
  });
  return app;
}
