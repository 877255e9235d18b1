/**
 * Examines what is registered: drift, rights, and whether a reply gets through to a client.
 * May import: everything.
 */
import type { TopologyEntry } from '../../broker/broker.ts';
import type { Manifest } from '../../bundles/manifest/manifest.ts';
import { serviceSpec } from '../../bundles/registration/service-spec.ts';
import type { Config } from '../../config.ts';
import { messageOf } from '../../kernel/errors.ts';
import type { VcloudClient } from '../../vcloud/client.ts';
import { describeChange } from '../../vcloud/registration/change.ts';
import { planRegistration } from '../../vcloud/registration/plan.ts';
import { resolveRights } from '../../vcloud/registration/rights.ts';
import { failed, ok, skipped, warning, type Finding } from './checkup.ts';

export async function examineRegistration(
  client: VcloudClient,
  manifest: Manifest,
): Promise<Finding[]> {
  const check = `registration.${manifest.name}`;
  const spec = serviceSpec(manifest);
  try {
    const { href, changes, findings } = await planRegistration(client, spec);
    const apply = `vcx register apply --plugin ${manifest.name}`;
    const shown = changes.slice(0, 3).map((change) => describeChange(change).split('\n')[0]);
    const rest = changes.length > 3 ? ` and ${changes.length - 3} more` : '';
    const drift =
      href === null
        ? failed(check, `${spec.namespace} is not registered`, apply)
        : changes.length > 0
          ? warning(check, `differs from plugin.json: ${shown.join(', ')}${rest}`, apply)
          : ok(check, `${spec.namespace} is as plugin.json says`);
    const warnings = findings.map(({ code, where, message }) =>
      warning(check, `${where}: ${message} (${code})`, `change ${where} in plugin.json`),
    );
    return [drift, ...warnings, ...(await examineRights(client, manifest))];
  } catch (error) {
    return [
      failed(
        check,
        messageOf(error),
        'correct what the message names, then run `vcx doctor` again',
      ),
    ];
  }
}

async function examineRights(client: VcloudClient, { name, vcloud }: Manifest): Promise<Finding[]> {
  const check = `rights.${name}`;
  const names = vcloud.rights.map((right) => right.name);
  if (names.length === 0) return [];
  const resolved = await resolveRights(client, { namespace: vcloud.namespace, names });
  const missing = names.filter((right) => !resolved.has(right));
  if (missing.length === 0) return [ok(check, `${names.length} resolve to URNs`)];
  return [
    failed(
      check,
      `vCloud does not know ${missing.map((right) => `"${right}"`).join(', ')}: routes that need them answer 503`,
      `vcx register apply --plugin ${name}, then put the rights into the roles that should have them`,
    ),
  ];
}

/** One call through the cell's own front: a 504 means that replies do not arrive, mostly for their envelope. */
export async function examineReply(
  { amqp }: Config,
  client: VcloudClient,
  { manifests, topology }: { manifests: readonly Manifest[]; topology: readonly TopologyEntry[] },
): Promise<Finding> {
  const check = 'reply';
  const served = manifests.flatMap((manifest) => {
    const of = `${manifest.vcloud.exchange}/${manifest.vcloud.routingKey}`;
    const queue = topology.find((entry) => entry.of === of && entry.what === 'queue');
    const route = manifest.routes.find(
      ({ method, path }) => method === 'GET' && !/[{*]/.test(path),
    );
    return route && (queue?.consumers ?? 0) > 0 ? [route.path] : [];
  });
  const [path] = served;
  if (path === undefined)
    return skipped(
      check,
      'no host runs now that serves a GET without parameters, so no call was made',
    );
  const answer = await client.request('GET', path, { raw: true, accept: 'application/*+json' });
  if (answer.status !== 504) return ok(check, `GET ${path} was answered (${answer.status})`);
  const other = amqp.replyEnvelope === 'array' ? 'object' : 'array';
  return failed(
    check,
    `GET ${path} ended in 504: the reply did not arrive, or not in a form that this cell reads`,
    `set amqp.replyEnvelope: ${other} and start the host again; should that not help, see vcx_reply_retries_total`,
  );
}
