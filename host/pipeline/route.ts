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

/** The service by exchange and routing key, then the routes of its plug-in. */
export function routeCall(catalogue: Catalogue, call: Call): Routed | Refusal {
  const plugin = catalogue.find(call.exchange, call.routingKey);
  if (!plugin) return refuse('ROUTE_NOT_FOUND', 'no plug-in serves this service');
  const match = plugin.match(call.method, call.path);
  switch (match.kind) {
    case 'found':
      return { plugin, route: match.route.route, params: match.params };
    case 'wrongMethod':
      return refuse('METHOD_NOT_ALLOWED', `allowed here: ${match.allowed.join(', ')}`, {
        headers: { Allow: match.allowed.join(', ') },
      });
    case 'none':
      return refuse('ROUTE_NOT_FOUND', `${plugin.manifest.name} has no such path`);
  }
}
