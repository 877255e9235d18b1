/**
 * The program `node sdk/localcloud/main.ts`: RabbitMQ, cells and, when asked for, NATS, told about and ruled by JSON lines.
 * May import: rabbitmq, nats, cell.
 */
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

import { type Cells, openCells } from './cell/open.ts';
import { type NatsNode, openNats } from './nats.ts';
import { type RabbitNode, openRabbit } from './rabbitmq.ts';

const USAGE = `usage: node sdk/localcloud/main.ts [options]
  --cells N         number of cells (2)
  --timeout-ms N    how long a request waits for its service (10000)
  --port N          port of the first cell, the others follow (free ones)
  --prefix NAME     AmqpPrefix (vcd)
  --exchange NAME   AmqpExchange for notifications in XML (systemExchange)
  --rabbit-url URL  use this broker instead of starting one
  --nats            start a nats-server too
  --no-install      never install RabbitMQ or nats-server`;

function say(line: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function natural(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw new Error(`--${name} must be a whole number of at least ${least}, not '${text}'`);
  return value;
}

function readOptions(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      cells: { type: 'string', default: '2' },
      'timeout-ms': { type: 'string', default: '10000' },
      port: { type: 'string', default: '0' },
      prefix: { type: 'string', default: 'vcd' },
      exchange: { type: 'string', default: 'systemExchange' },
      'rabbit-url': { type: 'string' },
      nats: { type: 'boolean', default: false },
      'no-install': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  return {
    help: values.help,
    url: values['rabbit-url'],
    install: !values['no-install'],
    nats: values.nats,
    cells: {
      count: natural('cells', values.cells, 1),
      timeoutMs: natural('timeout-ms', values['timeout-ms'], 1),
      port: natural('port', values.port, 0),
      prefix: values.prefix,
      exchange: values.exchange,
    },
  };
}

/** What was started here and can be stopped and started again. */
interface Nodes {
  readonly broker: RabbitNode | undefined;
  readonly nats: NatsNode | undefined;
}

/** What a line of standard input asks for; each is answered by `done` or `error`. */
async function obey(command: unknown, nodes: Nodes): Promise<void> {
  const [, what, name] = /^(stop|start)-(broker|nats)$/.exec(String(command)) ?? [];
  if (!what)
    throw new Error('the commands are stop-broker, start-broker, stop-nats and start-nats');
  const node = nodes[name as keyof Nodes];
  if (!node) throw new Error(`${name} was not started here`);
  await (what === 'stop' ? node.stop() : node.start());
}

async function handle(line: string, nodes: Nodes): Promise<void> {
  let command: unknown;
  try {
    command = (JSON.parse(line) as { type?: unknown } | null)?.type;
    await obey(command, nodes);
    say({ type: 'done', command });
  } catch (error) {
    say({
      type: 'error',
      command,
      message: error instanceof Error ? error.message : String(error),
    });
  }
}

interface Urls {
  readonly amqpUrl: string;
  /** Null without `--nats`. */
  readonly natsUrl: string | null;
}

function ready(urls: Urls, { cells, orgs, provider }: Cells): void {
  say({
    type: 'ready',
    ...urls,
    cells: cells.map(({ url, uuid, replyQueue }) => ({ url, uuid, replyQueue })),
    orgs,
    provider,
  });
}

/**
 * Everything is opened and ended here; `ended` settles when the parent wants the end. While it still
 * starts, leaving at once is best: the keeper ends the node, and apt may finish what it began.
 */
async function serve(options: ReturnType<typeof readOptions>, ended: Promise<void>): Promise<void> {
  const onProgress = (text: string) => say({ type: 'progress', text });
  let starting = true;
  void ended.then(() => starting && process.exit(0));
  await using stack = new AsyncDisposableStack();
  const { install } = options;
  const broker = options.url ? undefined : stack.use(await openRabbit({ onProgress, install }));
  const nats = options.nats ? stack.use(await openNats({ onProgress, install })) : undefined;
  const amqpUrl = options.url ?? broker?.url ?? '';
  onProgress(`starting ${options.cells.count} cell(s)`);
  const cells = stack.use(await openCells({ ...options.cells, amqpUrl }));
  let work = Promise.resolve();
  lines.on('line', (line) => {
    // One after the other: a start must not overtake the stop before it.
    work = work.then(() => handle(line, { broker, nats }));
  });
  starting = false;
  ready({ amqpUrl, natsUrl: nats?.url ?? null }, cells);
  await ended;
  await work;
}

const lines = createInterface({ input: process.stdin });
// Ctrl-C reaches the whole process group: whether it means the end is for the parent to say.
process.on('SIGINT', () => undefined);
// A parent that died reads no more: that is no reason to end without tidying up.
process.stdout.on('error', () => undefined);
const ended = new Promise<void>((resolve) => {
  process.once('SIGTERM', () => resolve());
  process.once('SIGHUP', () => resolve());
  lines.once('close', () => resolve());
});

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(`${USAGE}\n`);
  else await serve(options, ended);
  process.exit(0);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  say({ type: 'error', message });
  process.exit(1);
}
