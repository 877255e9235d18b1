/**
 * `vcx doctor`: examines configuration, vCloud, broker and registration, and says how to mend what is wrong.
 * May import: everything.
 */
import type { Manifest } from '../bundles/manifest/manifest.ts';
import type { Config } from '../config.ts';
import { messageOf } from '../kernel/errors.ts';
import { failed, ok, type Finding } from './doctor/checkup.ts';
import { examineBroker } from './doctor/broker.ts';
import { examineCertificate } from './doctor/certificates.ts';
import { examineNotifications } from './doctor/notifications.ts';
import { examineRegistration, examineReply } from './doctor/registration.ts';
import { examineVcloud } from './doctor/vcloud.ts';
import { configured } from './configured.ts';
import { openConfiguredVcloud, readManifests } from './installation.ts';
import { openProgress, type Progress } from './plugin/run.ts';

const SIGNS = { ok: 'ok     ', warning: 'WARNING', failed: 'FAILED ', skipped: 'skipped' } as const;

/** Exit code 0 unless something failed; warnings alone do not fail it. Changes nothing but what the broker lacks. */
export async function doctor(options: { json?: boolean }): Promise<number> {
  const config = configured();
  using progress = openProgress();
  const findings = await examine(config, progress);
  progress.clear();
  const healthy = findings.every(({ state }) => state !== 'failed');
  if (options.json) console.log(JSON.stringify({ ok: healthy, findings }, null, 2));
  else console.log(findings.flatMap(describe).join('\n'));
  return healthy ? 0 : 1;
}

async function examine(config: Config, progress: Progress): Promise<Finding[]> {
  const states = await readManifests(config);
  const manifests = states.flatMap(({ manifest }) => (manifest ? [manifest] : []));
  const broken = states.flatMap(({ name, reason }) =>
    reason === null
      ? []
      : [failed(`plugin.${name}`, reason, 'correct its plugin.json; `vcx check` says more')],
  );
  progress.show('the broker', 0.1);
  const broker = await examineBroker(config, manifests);
  progress.show('certificates', 0.3);
  const certificates = await examineCertificates(config);
  progress.show('vCloud', 0.4);
  return [
    ok('configuration', config.source),
    ...broken,
    ...broker.findings,
    ...certificates,
    ...(await examineCloud(config, manifests, broker.topology)),
  ];
}

async function examineCertificates({ amqp, vcloud }: Config): Promise<Finding[]> {
  const addresses = [
    ['certificate.broker', amqp.url ?? amqp.urls[0] ?? ''],
    ['certificate.vcloud', vcloud.url ?? ''],
  ] as const;
  const found: Finding[] = [];
  for (const [check, address] of addresses) {
    const finding = await examineCertificate(check, address);
    if (finding) found.push(finding);
  }
  return found;
}

async function examineCloud(
  config: Config,
  manifests: readonly Manifest[],
  topology: Parameters<typeof examineReply>[2]['topology'],
): Promise<Finding[]> {
  try {
    await using client = openConfiguredVcloud(config);
    const found = await examineVcloud(config, client);
    if (found.some(({ check, state }) => check === 'vcloud.sign-in' && state === 'failed'))
      return found;
    for (const manifest of manifests) found.push(...(await examineRegistration(client, manifest)));
    found.push(...(await examineNotifications(config, client, manifests)));
    found.push(await examineReply(config, client, { manifests, topology }));
    return found;
  } catch (error) {
    return [failed('vcloud', messageOf(error), 'set what the message names in vcx.yaml')];
  }
}

function describe({ check, state, detail, fix }: Finding): string[] {
  return [`${SIGNS[state]} ${check}: ${detail}`, ...(fix === null ? [] : [`        fix: ${fix}`])];
}
