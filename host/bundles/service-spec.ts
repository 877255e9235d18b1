/**
 * From a manifest to the record that vCloud should have of its service.
 * May import: vcloud.
 */
import type { ServiceSpec } from '../vcloud/service-spec.ts';
import type { Manifest } from './manifest.ts';

export function serviceSpec({ vcloud, description }: Manifest): ServiceSpec {
  // The schema never leaves a key without a value behind, though its type can't say so.
  const spec = { ...vcloud, ...(description === undefined ? {} : { description }) };
  return { ...spec, enabled: true } as ServiceSpec;
}
