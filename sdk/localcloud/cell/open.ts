/**
 * Starts several cells over one store: a whole simulated vCloud inside this process.
 * May import: advance, bundles, cell, oauth, outbox, sessions, model, store, tenant.
 */
import { type Cell, openCell } from './cell.ts';
import { openOutbox } from './events/outbox.ts';
import { type Bundle, type Localization, localizations } from './extension/bundles/bundles.ts';
import { type OAuthDesk, activeServiceAccount, createOAuthDesk } from './sessions/oauth/oauth.ts';
import { SESSION_DEFAULTS, createSessionRules, revokeSessions } from './sessions/sessions.ts';
import type { Holds, Org } from './model.ts';
import { createStore, OPERATION_MS } from './populate.ts';
import { type Store, SYSTEM_ORG } from './store.ts';
import { vdcsOf } from './tenant/documents.ts';
import { openClockwork } from './work/advance.ts';

export interface CellsOptions {
  readonly amqpUrl: string;
  /** Number of cells. @default 2 */
  readonly count?: number;
  /** How long a request waits for its service, in milliseconds. @default 10000 */
  readonly timeoutMs?: number;
  /** AmqpPrefix. @default 'vcd' */
  readonly prefix?: string;
  /** Port of the first cell; the others follow it. 0 takes free ones. @default 0 */
  readonly port?: number;
  /** Lifetime of sessions in milliseconds. @default 86400000 */
  readonly expireAfterMs?: number;
  /** AmqpExchange: a topic exchange for notifications in XML, made when it is missing. @default 'systemExchange' */
  readonly exchange?: string;
  /** EnableNotifications. @default true */
  readonly notifications?: boolean;
  /** How long vCloud's own operations take, in milliseconds. @default 100 */
  readonly operationMs?: number;
}

export const CELLS_DEFAULTS = {
  count: 2,
  timeoutMs: 10_000,
  prefix: 'vcd',
  port: 0,
  exchange: 'systemExchange',
  notifications: true,
  operationMs: OPERATION_MS,
  ...SESSION_DEFAULTS,
} as const satisfies Omit<CellsOptions, 'amqpUrl'>;

export interface OrgAccount extends Org {
  readonly users: readonly {
    readonly id: string;
    readonly name: string;
    readonly password: string;
    /** Which of the rights that services register the user's role gets. */
    readonly rights: Holds;
  }[];
  readonly vApps: readonly { readonly id: string; readonly name: string }[];
  readonly vdcs: readonly { readonly id: string; readonly name: string }[];
}

/** A running vCloud; disposing it ends all cells. */
export interface Cells extends AsyncDisposable {
  readonly cells: readonly Cell[];
  readonly orgs: readonly OrgAccount[];
  readonly provider: { readonly user: string; readonly password: string; readonly org: string };
  /** Lifetime of sessions in milliseconds; a change holds for open ones too. */
  expireAfterMs: number;
  /** End all sessions: at once, or after that many further requests, to hit a client in the middle. @default 0 */
  revokeSessions(afterRequests?: number): void;
  /** An active service account of the System org, or of the named one, with a refresh token that is good for one use. */
  createServiceAccount(org?: string): ServiceAccount;
  /** What has become of the events: confirmed by the broker, waiting for it, forgotten. */
  notified(): { readonly published: number; readonly waiting: number; readonly dropped: number };
  /** Localization bundles that have arrived, in order. */
  readonly bundles: readonly Bundle[];
  /** Their texts, merged by key. */
  localizations(): Localization[];
}

export interface ServiceAccount {
  readonly clientId: string;
  readonly name: string;
  readonly org: string;
  readonly refreshToken: string;
}

function accounts(store: Store): OrgAccount[] {
  return store.orgs.map((org) => ({
    ...org,
    users: [...store.users.values()]
      .filter((user) => user.org === org)
      .map(({ id, name, password, role }) => ({
        id,
        name,
        password,
        rights: store.roles.get(role)?.takes ?? 'none',
      })),
    vApps: [...store.vApps.values()]
      .filter((vApp) => vApp.org === org)
      .map(({ id, name }) => ({ id, name })),
    vdcs: vdcsOf(store, org).map(({ id, name }) => ({ id, name })),
  }));
}

/** An account with the rights of the org's administrators. */
function serviceAccount(store: Store, oauth: OAuthDesk, name: string): ServiceAccount {
  const administrator = [...store.users.values()].find(
    ({ org, role, isServiceAccount }) =>
      org.name.toLowerCase() === name.toLowerCase() &&
      store.roles.get(role)?.takes === 'all' &&
      !isServiceAccount,
  );
  if (!administrator) throw new Error(`there is no organization '${name}'`);
  const client = activeServiceAccount(oauth, administrator, administrator.role);
  const { id, refreshToken } = client;
  return { clientId: id, name: client.name, org: administrator.org.name, refreshToken };
}

/** Start cells on loopback; resolves when all listen and their reply queues are bound. */
export async function openCells(options: CellsOptions): Promise<Cells> {
  const { count, port, expireAfterMs, exchange, notifications, operationMs, ...rest } = {
    ...CELLS_DEFAULTS,
    ...options,
  };
  const store = createStore();
  store.operationMs = operationMs;
  Object.assign(store.settings, { exchange, notifications });
  const rules = createSessionRules(expireAfterMs);
  const oauth = createOAuthDesk(store, rules);
  await using undo = new AsyncDisposableStack();
  const cells: Cell[] = [];
  for (let index = 0; index < count; index += 1) {
    const own = port === 0 ? 0 : port + index;
    cells.push(undo.use(await openCell({ ...rest, store, rules, oauth, port: own })));
  }
  const outbox = undo.use(
    await openOutbox({
      amqpUrl: rest.amqpUrl,
      exchange: () => store.settings.exchange,
      jsonExchange: `${rest.prefix}.notifications20`,
      base: () => cells[0]?.url ?? '',
    }),
  );
  store.listeners.add((notice) => outbox.add(notice));
  undo.use(openClockwork(store));
  const owned = undo.move();
  const { name, password } = store.administrator;
  return {
    cells,
    orgs: accounts(store),
    provider: { user: name, password, org: SYSTEM_ORG.name },
    get expireAfterMs() {
      return rules.expireAfterMs;
    },
    set expireAfterMs(ms) {
      rules.expireAfterMs = ms;
    },
    revokeSessions: (afterRequests = 0) => revokeSessions(store, rules, afterRequests),
    createServiceAccount: (org = SYSTEM_ORG.name) => serviceAccount(store, oauth, org),
    notified: () => ({ ...outbox.counts, waiting: outbox.waiting() }),
    bundles: store.bundles.bundles,
    localizations: () => localizations(store.bundles),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
