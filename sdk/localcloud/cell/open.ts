/**
 * Starts several cells over one store: a whole simulated vCloud inside this process.
 * May import: cell, store.
 */
import { type Cell, openCell } from './cell.ts';
import { type Holds, type Org, type Store, SYSTEM_ORG, createStore } from './store.ts';

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
}

export const CELLS_DEFAULTS = {
  count: 2,
  timeoutMs: 10_000,
  prefix: 'vcd',
  port: 0,
} as const satisfies Omit<CellsOptions, 'amqpUrl'>;

export interface OrgAccount extends Org {
  readonly users: readonly {
    readonly id: string;
    readonly name: string;
    readonly password: string;
    /** Which of the rights that services register the user's role gets. */
    readonly rights: Holds;
  }[];
}

/** A running vCloud; disposing it ends all cells. */
export interface Cells extends AsyncDisposable {
  readonly cells: readonly Cell[];
  readonly orgs: readonly OrgAccount[];
  readonly provider: { readonly user: string; readonly password: string; readonly org: string };
}

function accounts(store: Store): OrgAccount[] {
  return store.orgs.map((org) => ({
    ...org,
    users: store.users
      .filter((user) => user.org === org)
      .map(({ id, name, password, holds }) => ({ id, name, password, rights: holds })),
  }));
}

/** Start cells on loopback; resolves when all listen and their reply queues are bound. */
export async function openCells(options: CellsOptions): Promise<Cells> {
  const { count, port, ...rest } = { ...CELLS_DEFAULTS, ...options };
  const store = createStore();
  await using undo = new AsyncDisposableStack();
  const cells: Cell[] = [];
  for (let index = 0; index < count; index += 1) {
    const own = port === 0 ? 0 : port + index;
    cells.push(undo.use(await openCell({ ...rest, store, port: own })));
  }
  const owned = undo.move();
  const { name, password } = store.administrator;
  return {
    cells,
    orgs: accounts(store),
    provider: { user: name, password, org: SYSTEM_ORG.name },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
