/**
 * One RabbitMQ, one nats-server and as many hosts on them as a test starts, each a process with a folder of its own.
 * May import: test/support, sdk/localcloud, host/bundles.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type NatsNode, openNats } from '../../../sdk/localcloud/nats.ts';
import { type RabbitNode, openRabbit } from '../../../sdk/localcloud/rabbitmq.ts';
import { ownerOf, type TestOwner, trustFileOf } from '../plugins/bundles.ts';
import { type ChaosClient, openChaosClient } from '../chaos/client.ts';
import { type ChaosHost, openChaosHost } from '../chaos/host.ts';

export interface ApiAnswer {
  readonly status: number;
  /** Empty where there is no JSON. */
  readonly body: Record<string, unknown>;
}

export interface ClusterHost extends ChaosHost {
  readonly name: string;
  readonly stateDir: string;
  readonly trustFile: string;
  /** Below `/api/v1` of its operator endpoint. Bytes go as a bundle, anything else as JSON. */
  api(method: string, path: string, body?: unknown): Promise<ApiAnswer>;
}

export interface StartOptions {
  readonly settings?: Readonly<Record<string, string>>;
  readonly preload?: URL;
  /** Whom the host trusts. @default the owner of the world */
  readonly trusts?: readonly TestOwner[];
  /** @default the server itself */
  readonly natsPort?: number;
}

export interface ClusterWorld extends AsyncDisposable {
  readonly dir: string;
  readonly rabbit: RabbitNode;
  readonly nats: NatsNode;
  readonly client: ChaosClient;
  /** Signs what the hosts take. */
  readonly owner: TestOwner;
  /** Start a host; a name that was used before gets its folder again. Ended with the world at the latest. */
  start(name: string, options?: StartOptions): Promise<ClusterHost>;
  /** What every host of this world is configured with. */
  settings(name: string, options?: StartOptions): Record<string, string>;
}

/** `nats: false`: the hosts know nothing of each other but the folder that they share. */
export async function openClusterWorld({ nats: shared = true } = {}): Promise<ClusterWorld> {
  await using stack = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), 'vcx-cluster-'));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const [rabbit, nats] = await Promise.all([openRabbit(), openNats()]);
  stack.use(rabbit);
  stack.use(nats);
  const client = stack.use(await openChaosClient(rabbit.url));
  const owner = ownerOf();
  const key = randomBytes(32).toString('base64');

  function settings(name: string, { natsPort, ...options }: StartOptions = {}) {
    return {
      VCX_PLUGINS_TRUST_FILE: join(folderOf(name), 'trust.json'),
      VCX_CLUSTER_HOST_NAME: name,
      VCX_SECRETS_KEY: key,
      ...(shared && {
        VCX_CLUSTER_SERVERS: JSON.stringify([`nats://127.0.0.1:${natsPort ?? nats.port}`]),
      }),
      ...options.settings,
    };
  }
  function folderOf(name: string): string {
    const stateDir = join(dir, shared ? name : 'all');
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    return stateDir;
  }
  const hosts = stack.use(new AsyncDisposableStack());
  const opened = stack.move();
  return {
    dir,
    rabbit,
    nats,
    client,
    owner,
    settings,
    async start(name, options = {}) {
      const stateDir = folderOf(name);
      const trustFile = join(stateDir, 'trust.json');
      writeFileSync(trustFile, JSON.stringify(trustFileOf(options.trusts ?? [owner], [])));
      const host = await openChaosHost({
        url: rabbit.url,
        stateDir,
        settings: settings(name, options),
        ...(options.preload && { preload: options.preload }),
      });
      hosts.use(host);
      const api: ClusterHost['api'] = (method, path, body) => ask(stateDir, { method, path, body });
      return Object.assign(host, { name, stateDir, trustFile, api });
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function ask(
  stateDir: string,
  { method, path, body }: { method: string; path: string; body: unknown },
): Promise<ApiAnswer> {
  const read = (file: string) => readFileSync(join(stateDir, file), 'utf8').trim();
  const bytes = body instanceof Uint8Array;
  const response = await fetch(`${read('operator.url')}/api/v1${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${read('operator.token')}`,
      ...(body !== undefined && {
        'Content-Type': bytes ? 'application/octet-stream' : 'application/json',
      }),
    },
    ...(body !== undefined && { body: bytes ? Buffer.from(body) : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
  };
}
