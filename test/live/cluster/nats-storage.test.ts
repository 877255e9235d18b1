/** The storage ports on a real nats-server: the same promises as on SQLite. */
import { Objm } from '@nats-io/obj';

import { openPulse } from '../../../host/cluster/pulse.ts';
import { openNatsChanges } from '../../../host/cluster/stores/changes.ts';
import { openNatsHandledEvents } from '../../../host/cluster/stores/handled-events.ts';
import { openNatsInstalled } from '../../../host/cluster/stores/installed.ts';
import { openNatsJournal } from '../../../host/cluster/stores/journal.ts';
import { openNatsKv } from '../../../host/cluster/stores/kv.ts';
import { openNatsOpenTasks } from '../../../host/cluster/stores/open-tasks.ts';
import { openNatsTenants } from '../../../host/cluster/stores/tenants.ts';
import type { Clock } from '../../../host/kernel/time.ts';
import { createSeal } from '../../../host/storage/seal.ts';
import { handledEventsCases } from '../../contract/storage/handled-events-cases.ts';
import { installedCases } from '../../contract/storage/installed-cases.ts';
import { journalCases } from '../../contract/storage/journal-cases.ts';
import { kvCases } from '../../contract/storage/kv-cases.ts';
import { openTaskCases } from '../../contract/storage/open-tasks-cases.ts';
import { tenantCases } from '../../contract/storage/tenant-cases.ts';
import { useNats } from '../../support/cluster/nats.ts';

const nats = useNats();
const seal = createSeal(Buffer.alloc(32, 1));

/** Each call is another host of one cluster. */
function cluster(clock?: Clock) {
  const options = { prefix: nats.prefix(), ...(clock && { clock }) };
  return async () => {
    const link = await nats.link(options);
    return { link, pulse: nats.use(await openPulse({ link })) };
  };
}

handledEventsCases('NATS', async () => {
  const host = cluster();
  return async () => openNatsHandledEvents((await host()).link);
});

kvCases('NATS', async (clock) => openNatsKv(await cluster(clock)()));

journalCases('NATS', async (clock, options) => {
  const host = cluster(clock);
  return async () => openNatsJournal({ ...options, ...(await host()), seal });
});

openTaskCases('NATS', async (clock) => {
  const host = cluster(clock);
  return async () => nats.use(await openNatsOpenTasks(await host()));
});

tenantCases('NATS', async (clock, caps) => {
  const host = cluster(clock);
  return async () => {
    const { link } = await host();
    const changes = await openNatsChanges({ link, pulse: { now: () => clock.now() } });
    return nats.use(await openNatsTenants({ ...caps, link, seal, changes }));
  };
});

installedCases('NATS', async () => {
  const options = { prefix: nats.prefix() };
  return {
    another: async () => openNatsInstalled(await nats.link(options)),
    async alter(hash) {
      const link = await nats.link(options);
      const objects = await new Objm(link.client).open(`${options.prefix}_bundles`);
      await objects.putBlob({ name: hash }, Buffer.from('something else'));
    },
  };
});
