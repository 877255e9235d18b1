/** A private nats-server for a test file, and links to it under prefixes of their own. */
import { afterAll, afterEach, beforeAll } from 'vitest';

import { openLink, type Link } from '../../../host/cluster/link/link.ts';
import type { ClusterOptions } from '../../../host/cluster/link/options.ts';
import { openNats, type NatsNode } from '../../../sdk/localcloud/nats.ts';

/** Small ones: NATS keeps the bytes of every bucket free. */
export const SMALL = {
  journal: 33_554_432,
  kv: 33_554_432,
  tasks: 4_194_304,
  blocking: 4_194_304,
  tenants: 33_554_432,
  changes: 8_388_608,
  installed: 8_388_608,
  bundles: 33_554_432,
  members: 4_194_304,
  leases: 1_048_576,
};

export interface TestNats {
  readonly node: NatsNode;
  /** A prefix that no other test has. */
  prefix(): string;
  /** Closed after the test. */
  link(options?: Partial<ClusterOptions>): Promise<Link>;
  /** Closed after the test, before the links. */
  use<T extends Disposable | AsyncDisposable>(opened: T): T;
}

let prefixes = 0;

/** Call it at the top of a test file. */
export function useNats(): TestNats {
  let node: NatsNode | null = null;
  let links: Link[] = [];
  let stack = new AsyncDisposableStack();
  beforeAll(async () => {
    node = await openNats();
  });
  afterEach(async () => {
    await stack.disposeAsync();
    stack = new AsyncDisposableStack();
    await Promise.all(links.map((link) => link[Symbol.asyncDispose]()));
    links = [];
    if (node?.pid === 0) await node.start();
  });
  afterAll(async () => node?.[Symbol.asyncDispose]());
  const running = () => {
    if (!node) throw new Error('the server is started before the first test');
    return node;
  };
  const prefix = () => `t${(prefixes += 1)}`;
  return {
    get node() {
      return running();
    },
    prefix,
    async link(options = {}) {
      const link = await openLink({
        servers: [running().url],
        prefix: prefix(),
        bytes: SMALL,
        ...options,
      });
      links.push(link);
      return link;
    },
    use(opened) {
      return stack.use(opened);
    },
  };
}
