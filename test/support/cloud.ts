/**
 * The simulated cloud as its users and its provider see it, for tests of what reacts to events.
 * May import: test/support.
 */
import { cellClient, type CellClient } from './client.ts';
import type { Live } from './live.ts';
import { waitFor } from './wait.ts';

const VCLOUD = 'http://www.vmware.com/vcloud/v1.5';
const TEMPLATE = 'application/vnd.vmware.vcloud.instantiateVAppTemplateParams+xml';
const XML = { Accept: 'application/*+xml;version=37.0' };

export interface NewEvents {
  readonly eventId: string;
  readonly eventIds: readonly string[];
}

export interface Cloud {
  /** The client of a user, such as `alice@acme`. */
  as(user: string): Promise<CellClient>;
  /** Let the cell publish an event, or many; see the cell's README for the fields. */
  emit(event: object): Promise<NewEvents>;
  orgId(name: string): string;
  /** Ask for a vApp as alice of the org; resolves with the address of the task. */
  instantiate(org: string, name: string): Promise<string>;
  /** Ask as alice that the vApp which a task's document speaks of is deleted; resolves with the address of that task. */
  remove(org: string, task: string): Promise<string>;
  /** Wait until the task is in one of these states; resolves with its document. */
  ended(org: string, task: string): Promise<string>;
}

export function openCloud({ cells }: Pick<Live, 'cells'>): Cloud {
  const url = cells.cells[0]?.url ?? '';
  const clients = new Map<string, Promise<CellClient>>();

  function client(user: string, password: string): Promise<CellClient> {
    let known = clients.get(user);
    if (!known) clients.set(user, (known = cellClient(url, user, password)));
    return known;
  }
  function orgOf(name: string) {
    const org = cells.orgs.find((one) => one.name === name);
    if (!org) throw new Error(`no org ${name}`);
    return org;
  }
  async function as(user: string): Promise<CellClient> {
    const [name, org = ''] = user.split('@');
    const found = orgOf(org).users.find((one) => one.name === name);
    return client(user, found?.password ?? '');
  }

  return {
    as,
    orgId: (name) => orgOf(name).id,
    async emit(event) {
      const { user, org, password } = cells.provider;
      const provider = await client(`${user}@${org}`, password);
      const answer = await provider.post('/_local/events', JSON.stringify(event));
      if (answer.status !== 200) throw new Error(answer.text);
      return answer.json() as unknown as NewEvents;
    },
    async instantiate(org, name) {
      const path = `/api/vdc/${orgOf(org).vdcs[0]?.id}/action/instantiateVAppTemplate`;
      const body = `<InstantiateVAppTemplateParams xmlns="${VCLOUD}" name="${name}"><Source href="x"/></InstantiateVAppTemplateParams>`;
      const alice = await as(`alice@${org}`);
      const { status, text } = await alice.post(path, body, {
        headers: { ...XML, 'Content-Type': TEMPLATE },
      });
      if (status !== 201) throw new Error(`${status}: ${text}`);
      return new URL(/<Task [^>]*href="([^"]+)"/.exec(text)?.[1] ?? '').pathname;
    },
    async remove(org, task) {
      const vApp = new URL(/<Owner [^>]*href="([^"]+)"/.exec(task)?.[1] ?? '').pathname;
      const alice = await as(`alice@${org}`);
      const { status, text } = await alice.delete(vApp, { headers: XML });
      if (status !== 202) throw new Error(`${status}: ${text}`);
      return new URL(/<Task [^>]*href="([^"]+)"/.exec(text)?.[1] ?? '').pathname;
    },
    async ended(org, task) {
      const alice = await as(`alice@${org}`);
      let text = '';
      await waitFor(
        async () => {
          ({ text } = await alice.get(task, { headers: XML }));
          return /status="(?:success|aborted|error|canceled)"/.test(text);
        },
        () => text,
      );
      return text;
    },
  };
}
