/**
 * Takes a service off vCloud in one call.
 * May import: vcloud.
 */
import type { VcloudClient } from '../client.ts';
import type { ServiceSpec } from '../service-spec.ts';
import type { Applied, ApplyOptions } from './apply.ts';
import { applyRegistration } from './apply.ts';
import { planRemoval } from './plan.ts';

/** Disable, then delete; nothing to do is no error. Throws `VcloudError`. */
export async function removeRegistration(
  client: VcloudClient,
  spec: ServiceSpec,
  options?: ApplyOptions,
): Promise<Applied> {
  return applyRegistration(client, await planRemoval(client, spec), options);
}
