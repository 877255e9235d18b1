/**
 * A TCP proxy that fails the way networks do: it stops forwarding without a word, cuts, or slips bytes in.
 * May import: nothing.
 */
import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';

export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Connections open at present. */
  readonly open: number;
  /** Connections accepted since the start. */
  readonly accepted: number;
  /** Forward nothing on the connections of now, and leave them open: half-open, as after a lost route. */
  freeze(): void;
  /** The same for all connections to come, until disposed; then the connections of now are reset. */
  freezeAll(): Disposable;
  /** Reset the connections of now. */
  cut(): void;
  /** Reset them and refuse all others, as if nobody listened, until disposed. */
  refuse(): Promise<AsyncDisposable>;
  /** Write to the server, as if the client had, on the newest open connection whose first bytes hold the text. */
  inject(text: string, bytes: Buffer): void;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** First bytes of the client. */
  opening: Buffer;
  frozen: boolean;
}

/** Listen on a free loopback port and forward to `port` on 127.0.0.1. */
export async function openTcpProxy(port: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let accepted = 0;
  let frozen = false;
  const listener = createServer({ noDelay: true }, (client) => {
    accepted += 1;
    const server = connect({ port, host: '127.0.0.1', noDelay: true });
    join(pairs, { client, server, opening: Buffer.alloc(0), frozen });
  });
  const listen = async (at: number): Promise<void> => {
    listener.listen(at, '127.0.0.1');
    await once(listener, 'listening');
  };
  await listen(0);
  const own = (listener.address() as AddressInfo).port;

  const end = () => {
    for (const { client, server } of pairs) {
      client.resetAndDestroy();
      server.destroy();
    }
  };
  const shut = async (): Promise<void> => {
    const closed = once(listener, 'close');
    listener.close();
    end();
    await closed;
  };
  const freeze = () => {
    for (const pair of pairs) pair.frozen = true;
  };
  return {
    port: own,
    get open() {
      return pairs.size;
    },
    get accepted() {
      return accepted;
    },
    freeze,
    freezeAll() {
      frozen = true;
      freeze();
      return {
        [Symbol.dispose]() {
          frozen = false;
          end();
        },
      };
    },
    cut: end,
    async refuse() {
      await shut();
      return { [Symbol.asyncDispose]: () => listen(own) };
    },
    inject(text, bytes) {
      const found = [...pairs].findLast((pair) => pair.opening.includes(text));
      if (!found) throw new Error(`no connection has said ${text}`);
      found.server.write(bytes);
    },
    async [Symbol.asyncDispose]() {
      if (listener.listening) await shut();
    },
  };
}

function join(pairs: Set<Pair>, pair: Pair): void {
  const { client, server } = pair;
  pairs.add(pair);
  client.on('data', (bytes: Buffer) => {
    if (pair.opening.length < 4_096) pair.opening = Buffer.concat([pair.opening, bytes]);
    if (!pair.frozen) server.write(bytes);
  });
  server.on('data', (bytes: Buffer) => {
    if (!pair.frozen) client.write(bytes);
  });
  const end = () => {
    // A frozen end keeps the other waiting.
    if (!pair.frozen) {
      client.destroy();
      server.destroy();
    }
    if (client.destroyed) pairs.delete(pair);
  };
  for (const socket of [client, server]) socket.on('error', () => undefined).on('close', end);
}
