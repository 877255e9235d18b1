/**
 * Upload of localization bundles: a socket to announce them, a transfer address to send them to.
 * May import: bundles, caller, documents, element, fault, represent, store; hono.
 */
import { type Context, Hono } from 'hono';

import { type CellEnv, requireProvider } from '../../sessions/caller.ts';
import { readDocument, sendDocument } from '../../documents/documents.ts';
import { element, textOf } from '../../documents/element.ts';
import { EXTENSION } from '../../documents/represent.ts';
import { type Place, notFound } from '../../tenant/routes.ts';
import { announceBundle, clearUnusedBundles, receivePart } from './bundles.ts';

const PARAMS = { ns: 'vmext', name: 'BundleUploadParams', type: 'BundleUploadParams' } as const;

/** Routes of the upload, for a service and for none, and of the transfer itself. */
export function bundleRoutes({ store, base }: Place): Hono<CellEnv> {
  const app = new Hono<CellEnv>();
  const desk = store.bundles;
  const announce = async (c: Context<CellEnv>, id: string | undefined) => {
    const { attributes } = await readDocument(c, PARAMS);
    const service = id === undefined ? undefined : store.entities.get(id.toLowerCase());
    if (id !== undefined && service?.kind !== 'service') throw notFound('externalService', id);
    const namespace = service && textOf(service.content, 'Namespace');
    const transfer = announceBundle(desk, {
      fileSize: Number(attributes['fileSize'] ?? Number.NaN),
      serviceNamespace: attributes['serviceNamespace'] ?? namespace ?? '',
      ...(service ? { service: service.id } : {}),
    });
    const uploadLocation = `${base}/transfer/${transfer}/file`;
    return sendDocument(c, {
      document: element('vmext:BundleUploadSocket', { uploadLocation }),
      type: 'BundleUploadSocket',
      media: 'application/vnd.vmware.admin.bundleUploadSocket',
    });
  };
  app.post(`${EXTENSION}/service/localizationbundles`, (c) => announce(c, undefined));
  app.post(`${EXTENSION}/service/:id/localizationbundles`, (c) => announce(c, c.req.param('id')));
  app.post(`${EXTENSION}/service/action/clearunusedlocalizationbundles`, (c) => {
    clearUnusedBundles(desk, (service) => store.entities.has(service));
    return c.body(null, 204);
  });
  app.put('/transfer/:id/file', async (c) => {
    requireProvider(c.get('caller'));
    const body = Buffer.from(await c.req.arrayBuffer());
    receivePart(desk, c.req.param('id'), { body, range: c.req.header('content-range') });
    return c.body(null, 200);
  });
  return app;
}
