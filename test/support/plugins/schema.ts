/** `node test/support/plugins/schema.ts`: writes sdk/plugin.schema.json, which editors read, from the manifest's one schema. A test compares. */
import { writeFileSync } from 'node:fs';
import { z } from 'zod';

import { manifestSchema } from '../../../host/bundles/manifest/manifest.ts';
import { LIMITS } from '../../../host/quotas/limits.ts';

export const SCHEMA_FILE = new URL('../../../sdk/plugin.schema.json', import.meta.url);

/** What editors show beside a key; by path. */
const TEXTS: Readonly<Record<string, string>> = {
  name: 'Name of the plug-in: lower-case letters, digits and dashes',
  version: 'Version of the plug-in, e.g. 1.2.0',
  main: 'Entry module, below the folder of this file',
  vcloud: 'The extension service that vCloud gets to know',
  'vcloud.name': 'Name of the service record',
  'vcloud.namespace': 'Unique over all services of the cloud; below one that the owner claims',
  'vcloud.exchange': 'Exchange that vCloud publishes calls to',
  'vcloud.routingKey': 'Routing key of the calls',
  'vcloud.apiFilters': 'Which calls vCloud hands over: java.util.regex on the whole path',
  'vcloud.rights': "The plug-in's own rights; vCloud shows them as {namespace}:name",
  routes: 'Which calls the `fetch` handler answers, and the rights that they take',
  authorizationCheck: "When vCloud's own authorizationcheck is asked too",
  vcloudPaths: 'What env.vcloud wants beyond the objects of the calling org',
  bindings: 'Host services that stand on `env`',
  notifications: 'Which events of vCloud reach the `notification` handler',
  notificationDelivery: 'In which order events come, and how often one is tried',
  blockingTasks: 'Operations that vCloud holds until the plug-in has decided',
  fetch: 'With the binding `fetch`: where to, and with which methods',
  config: 'What each org may configure, as JSON Schema; it stands on `env.config`',
  healthCheck: 'A GET that must be answered with 200 to 299 before a version goes live',
  tenants: 'Who has the plug-in once it is installed: all orgs, or those that the operator names',
  extends: 'Of a plug-in that an org owns: namespace of the service to which it adds routes',
  tenantRoutes: 'Below this path plug-ins that orgs own may add routes to this service',
  responseFilter: 'What happens to the answers of vCloud when the `response` handler fails',
  limits: 'What one call, one isolate and one org may spend',
  isolation: 'Who shares a runner process or an isolate',
};

interface Node {
  properties?: Record<string, Node>;
  items?: Node;
  [key: string]: unknown;
}

/** The text of the file. */
export function pluginSchema(): string {
  const schema = z.toJSONSchema(manifestSchema, { io: 'input' }) as Node;
  const { $schema, ...rest } = schema;
  for (const [path, description] of Object.entries(TEXTS))
    at(rest, path)['description'] = description;
  for (const [name, info] of Object.entries(LIMITS))
    Object.assign(at(rest, `limits.${name}`), {
      type: 'integer',
      minimum: info.min,
      default: info.default,
      description: `${info.means} (${info.unit}; up to ${info.ceiling} unless the operator says otherwise)`,
    });
  const title = 'Manifest of a vcx plug-in';
  return `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`;
}

/** Throws for a path that the manifest does not have any more. */
function at(schema: Node, path: string): Node {
  return path.split('.').reduce((node, key) => {
    const next = node.properties?.[key];
    if (!next) throw new Error(`the manifest has no ${path}`);
    return next;
  }, schema);
}

if (import.meta.main) writeFileSync(SCHEMA_FILE, pluginSchema());
