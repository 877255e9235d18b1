/**
 * vApps and virtual datacenters as documents.
 * May import: documents, element, operations, paths, represent, model, work.
 */
import { type Element, element, leaf } from '../documents/element.ts';
import { link } from '../documents/represent.ts';
import type { VApp, Vdc } from '../model.ts';
import { taskElement } from '../work/documents.ts';
import { isBusy } from '../work/operations.ts';
import { hasEnded } from '../work/work.ts';
import { type Scene, described, entity } from './documents.ts';
import { MEDIA, orgPath, userReference, vAppPath, vAppReference, vdcPath } from './paths.ts';

/** The tasks under way whose owner this is, as every entity shows them. */
function tasksOn(scene: Scene, id: string): Element[] {
  const running = [...scene.store.tasks.values()].filter(
    (task) =>
      !hasEnded(task.status) &&
      task.parts.some(
        ({ name, attributes }) => name === 'Owner' && attributes['href']?.includes(id),
      ),
  );
  if (running.length === 0) return [];
  return [
    element(
      'vcloud:Tasks',
      {},
      running.map((task) => taskElement(scene, task)),
    ),
  ];
}

export function vAppElement(scene: Scene, vApp: VApp): Element {
  const { store, view } = scene;
  const path = vAppPath(vApp);
  const owner = store.users.get(vApp.owner);
  const head = { path, media: MEDIA.vApp, id: vApp.id, name: vApp.name };
  const changes = isBusy(store, vApp)
    ? []
    : [link(view, 'edit', path, MEDIA.vApp), link(view, 'remove', path)];
  const shown = entity(scene, 'vcloud:VApp', { ...head, urn: `urn:vcloud:vapp:${vApp.id}` }, [
    link(view, 'up', vdcPath({ id: vApp.vdc }), MEDIA.vdc),
    ...changes,
    ...described(vApp.description),
    ...tasksOn(scene, vApp.id),
    leaf('vcloud:DateCreated', vApp.created.toISOString()),
    ...(owner ? [element('vcloud:Owner', {}, [userReference(view, 'vcloud:User', owner)])] : []),
    leaf('vcloud:autoNature', true),
    leaf('vcloud:InMaintenanceMode', false),
  ]);
  const more = { status: String(vApp.status), deployed: 'false' };
  return { ...shown, attributes: { ...shown.attributes, ...more } };
}

export function vdcElement(scene: Scene, vdc: Vdc): Element {
  const { store, view } = scene;
  const path = vdcPath(vdc);
  const head = { path, media: MEDIA.vdc, id: vdc.id, name: vdc.name };
  const vApps = [...store.vApps.values()].filter((vApp) => vApp.vdc === vdc.id);
  const shown = entity(scene, 'vcloud:Vdc', { ...head, urn: `urn:vcloud:vdc:${vdc.id}` }, [
    link(view, 'up', orgPath(vdc.org), MEDIA.org),
    link(view, 'add', `${path}/action/instantiateVAppTemplate`, MEDIA.instantiate),
    leaf('vcloud:AllocationModel', 'AllocationVApp'),
    element(
      'vcloud:ResourceEntities',
      {},
      vApps.map((vApp) => vAppReference(view, 'vcloud:ResourceEntity', vApp)),
    ),
    leaf('vcloud:IsEnabled', true),
  ]);
  // 1: ready.
  return { ...shown, attributes: { ...shown.attributes, status: '1' } };
}
