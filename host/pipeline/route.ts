/**
 * Stage: which plug-in and which of its routes serves this call.
 * May import: kernel, message, bundles.
 */
import type { Catalogue, LivePlugin } from '../bundles/live/catalogue.ts';
import type { ManifestRoute } from '../bundles/manifest/manifest.ts';
import type { Call } from '../message/call.ts';
import { refuse, type Refusal } from './refusal.ts';

export interface Routed {
  readonly plugin: LivePlugin;
  readonly route: ManifestRoute;
  readonly params: Readonly<Record<string, string>>;
}

/** The service by exchange and routing key, as far as the org has it; then the routes of its plug-ins. */
export function routeCall(catalogue: Catalogue, call: Call): Routed | Refusal {
  const serving = catalogue.serving(call.exchange, call.routingKey, call.identity.org);
  if (serving.kind === 'none') return refuse('ROUTE_NOT_FOUND', 'no plug-in serves this service');
  if (serving.kind === 'unavailable')
    return refuse('PLUGIN_UNAVAILABLE', `${serving.plugin} ${serving.version} is not loaded`);
  const allowed = new Set<string>();
  for (const plugin of serving.plugins) {
    const match = plugin.match(call.method, call.path);
    if (match.kind === 'found') return { plugin, route: match.route.route, params: match.params };
    if (match.kind === 'wrongMethod') for (const method of match.allowed) allowed.add(method);
  }
  if (allowed.size === 0) return refuse('ROUTE_NOT_FOUND', 'the service has no such path');
  const list = [...allowed].join(', ');
  return refuse('METHOD_NOT_ALLOWED', `allowed here: ${list}`, { headers: { Allow: list } });
}
