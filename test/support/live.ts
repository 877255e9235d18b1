/** A host, a cloud of simulated cells and a private RabbitMQ in one process, for live tests. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { readConfig, type Config } from '../../host/config.ts';
import { openHost, type Host } from '../../host/host.ts';
import { createLog } from '../../host/kernel/log.ts';
import { openCells } from '../../sdk/localcloud/cell/open.ts';
import { openVhost, type Vhost } from './rabbit/vhost.ts';
import { waitFor } from './wait.ts';

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));
export const EXAMPLES = folder('../../plugins');
export const PROBES = folder('./samples/plugins');
export const BROKEN = folder('./samples/broken');

type Cells = Awaited<ReturnType<typeof openCells>>;

export interface Live extends AsyncDisposable {
  readonly rabbit: Vhost;
  readonly cells: Cells;
  readonly host: Host;
  readonly config: Config;
  /** Every log line of the host so far. */
  readonly lines: string[];
  /** GET `/status` of the operator endpoint. */
  status(): Promise<Record<string, unknown>>;
}

export interface LiveOptions {
  readonly cells?: number;
  readonly folders?: readonly string[];
  readonly settings?: Record<string, string>;
}

export async function openLive(options: LiveOptions = {}): Promise<Live> {
  await using stack = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), 'vcx-live-'));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const rabbit = stack.use(await openVhost());
  const cells = stack.use(await openCells({ amqpUrl: rabbit.url, count: options.cells ?? 1 }));
  const config = testConfig(dir, rabbit.url, cells, options);
  const lines: string[] = [];
  const log = createLog({ level: 'debug', write: (line) => void lines.push(line) });
  const host = stack.use(await openHost(config, { log }));
  await waitFor(
    () => host.health().ready,
    () => JSON.stringify(host.health()),
  );
  const opened = stack.move();
  return {
    rabbit,
    cells,
    host,
    config,
    lines,
    status: () => operatorStatus(host),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function testConfig(dir: string, amqpUrl: string, cells: Cells, options: LiveOptions): Config {
  const folders = options.folders ?? [EXAMPLES, PROBES];
  return readConfig(
    {
      VCX_AMQP_URL: amqpUrl,
      VCX_VCLOUD_URL: cells.cells[0]?.url ?? '',
      VCX_VCLOUD_USER: cells.provider.user,
      VCX_VCLOUD_PASSWORD: cells.provider.password,
      VCX_OPERATOR_PORT: '0',
      VCX_STATE_DIR: join(dir, 'state'),
      VCX_PLUGINS_FOLDERS: JSON.stringify(folders),
      ...options.settings,
    },
    dir,
  );
}

async function operatorStatus(host: Host): Promise<Record<string, unknown>> {
  const token = readFileSync(host.tokenFile, 'utf8').trim();
  const response = await fetch(`${host.operatorUrl}/status`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  return (await response.json()) as Record<string, unknown>;
}
