/** The operator app over an in-memory `PluginAdmin`, with a real token store and logbook; no socket. */
import { createLogbook, type Logbook } from '../../../host/bundles/live/logbook.ts';
import { createMetrics, type Metrics } from '../../../host/kernel/metrics.ts';
import type { Clock } from '../../../host/kernel/time.ts';
import type { OperatorAppOptions } from '../../../host/operator/server.ts';
import { openDatabase } from '../../../host/storage/sqlite/database.ts';
import { createSqliteChanges } from '../../../host/storage/sqlite/changes.ts';
import { createSqliteTokens } from '../../../host/storage/sqlite/tokens.ts';
import type { TokenStore } from '../../../host/storage/tokens.ts';
import { createMemoryAdmin, type MemoryAdmin } from './memory-admin.ts';

export const OPERATOR_TOKEN = 'the-operators-own-token';

export interface OperatorParts extends AsyncDisposable {
  readonly options: OperatorAppOptions & {
    readonly admin: MemoryAdmin;
    readonly logbook: Logbook;
    readonly tokens: TokenStore;
    readonly metrics: Metrics;
  };
  /** Actions in the audit log of the store. */
  readonly actions: () => Promise<string[]>;
}

export interface KitOptions {
  readonly hosts?: readonly string[];
  readonly clock?: Clock;
  /** Asks of bundles that are allowed from the beginning. */
  readonly allowed?: readonly string[];
}

export const DEMO_ASKS = ['api-filter /api/demo'];

/** What `openOperator` and `operatorApp` take. */
export function createOperatorParts({
  hosts = [],
  allowed = DEMO_ASKS,
  ...rest
}: KitOptions = {}): OperatorParts {
  const database = openDatabase(':memory:');
  const changes = createSqliteChanges(database);
  return {
    options: {
      token: { file: 'operator.token', matches: (given) => given === OPERATOR_TOKEN },
      metrics: createMetrics(),
      health: () => ({ ready: true, dependencies: {} }),
      status: () => ({ pid: 1 }),
      admin: createMemoryAdmin(allowed),
      logbook: createLogbook(),
      tokens: createSqliteTokens(database),
      hosts,
      ...rest,
    },
    actions: async () => (await changes.list()).map(({ action }) => action),
    [Symbol.asyncDispose]: async () => database.close(),
  };
}
