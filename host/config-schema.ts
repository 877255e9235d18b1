/**
 * What vcx.yaml may hold: every setting with its meaning, its range and its default.
 * May import: quotas, types of cluster.
 */
import { z } from 'zod';

import type { BucketName } from './cluster/link/options.ts';
import { LIMITS, MAX_CALLS_PER_ISOLATE, type LimitName } from './quotas/limits.ts';

const ms = z.int().min(1).max(86_400_000);
const url = (...schemes: string[]) =>
  z.string().refine(
    (text) => {
      const scheme = URL.parse(text)?.protocol.slice(0, -1);
      return scheme !== undefined && schemes.includes(scheme);
    },
    `a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
  );

const amqp = z.strictObject({
  /** Broker addresses, tried in turn. One may be given as `url`. */
  url: url('amqp', 'amqps').optional(),
  urls: z.array(url('amqp', 'amqps')).default([]),
  /** File with the password; read again at every reconnect. */
  passwordFile: z.string().optional(),
  /** Exchanges that replies may go to; default `{AmqpPrefix}.replyExchange` from vCloud. */
  replyExchanges: z.array(z.string().min(1)).default([]),
  /** `array`: as documented; `object`: as VMware's own Python extension sends. */
  replyEnvelope: z.enum(['array', 'object']).default('array'),
  /** Ms between two canaries, which prove the way from each service's exchange to us and back; 0 for none. */
  canaryMs: z.int().min(0).max(3_600_000).default(5_000),
  /** Names of vcx's own dead-letter exchange and queue. */
  deadLetter: z.string().min(1).default('vcx.dead'),
  caFile: z.string().optional(),
  certFile: z.string().optional(),
  keyFile: z.string().optional(),
});

const vcloud = z.strictObject({
  url: url('http', 'https').optional(),
  /** `user@Org`; the provider's org is `System`. */
  user: z.string().optional(),
  password: z.string().optional(),
  passwordFile: z.string().optional(),
  apiToken: z.string().optional(),
  apiTokenFile: z.string().optional(),
  /** Refresh token of a service account; rewritten at every sign-in, since vCloud changes it. */
  serviceAccountFile: z.string().optional(),
  /** `auto`: services and rights are registered at start; `off`: they must be there. */
  registration: z.enum(['auto', 'off']).default('auto'),
  /** The cloud's settings for held operations; left as they are when not set. */
  blockingTasks: z
    .strictObject({
      timeoutMs: z.int().min(1_000).max(86_400_000).optional(),
      timeoutAction: z.enum(['resume', 'abort', 'fail']).optional(),
    })
    .prefault({}),
  /** The cell's `extensibility.timeout`. */
  extensionTimeoutMs: ms.default(10_000),
  /** Bare id of the provider's System org; the same in every installation. */
  systemOrgId: z.string().default('a93c9db9-7471-3192-8d09-a8f7eeda85f9'),
  caFile: z.string().optional(),
  /** SHA-256 of the server's certificate, for self-signed ones. */
  fingerprint: z.string().optional(),
});

const sandbox = z.strictObject({
  /** Runner processes that stand ready. */
  spares: z.int().min(0).max(16).default(1),
  /** Runner processes at most, spares included. */
  maxRunners: z.int().min(2).max(1_024).default(64),
  /** Least isolation of every plug-in, whatever its manifest says: a runner for each org, or an isolate for each call. */
  isolation: z.enum(['plugin', 'org', 'request']).default('plugin'),
  /** Calls that one isolate may hold at once, whatever the manifests say with `callsPerIsolate`. */
  callsPerIsolate: z.int().min(1).max(MAX_CALLS_PER_ISOLATE).default(MAX_CALLS_PER_ISOLATE),
  /** An isolate without calls for so long is freed, in ms. */
  idleMs: ms.default(60_000),
  /** Memory of all runners together, in MB, above which the isolates longest unused are freed; else half of the machine's. */
  memoryBudgetMb: z.int().min(64).optional(),
  /** Calls between two looks at the heap of an isolate, each of which costs a trip into it. */
  heapEveryCalls: z.int().min(1).max(100_000).default(64),
  /** Without just-in-time compiler: slower, smaller attack surface. */
  strict: z.boolean().default(false),
  /** Program and arguments put before the runner's, e.g. bubblewrap. */
  argvPrefix: z.array(z.string()).default([]),
  /** First and last uid for runners when the host runs as root; empty: keep the host's uid. */
  uids: z
    .tuple([z.int().min(1), z.int().min(1)])
    .or(z.tuple([]))
    .default([70_000, 74_999]),
});

/** Any of the limits, as whole numbers in their units, and none so low that nothing can run. */
const someLimits = z.strictObject(
  Object.fromEntries(
    Object.entries(LIMITS).map(([name, { min }]) => [name, z.int().min(min).optional()]),
  ) as Record<LimitName, z.ZodOptional<z.ZodInt>>,
);

const quotas = z.strictObject({
  /** Highest values that manifests may ask for, in place of the built-in ceilings. */
  ceilings: someLimits.default({}),
  /** By plug-in: replace what its manifest asks for. */
  plugins: z.record(z.string(), someLimits).default({}),
  /** By bare org id: the lower of this and the plug-in's limit counts. */
  orgs: z.record(z.string(), someLimits).default({}),
});

const admission = z.strictObject({
  /** Calls in work at once, over all orgs. */
  slots: z.int().min(1).max(4_096).default(256),
  /** Calls of one org in work at once. */
  slotsPerOrg: z.int().min(1).max(4_096).default(64),
  /** Calls of one org that may wait for a slot; over that it is answered 503. */
  waitingPerOrg: z.int().min(1).max(10_000).default(512),
  /** Calls that may wait, over all orgs; with the slots it makes the prefetch. */
  waiting: z.int().min(1).max(50_000).default(2_048),
  /** Bytes of the messages that wait. */
  waitingBytes: z.int().min(1_048_576).default(67_108_864),
  /** Turns in a round by bare org id; 1 for any other. */
  weights: z.record(z.string(), z.int().min(1).max(100)).default({}),
});

/** Names alone: for a host that works alone nothing of the room is loaded. */
const KEPT = {
  journal: true,
  kv: true,
  tasks: true,
  blocking: true,
  events: true,
  tenants: true,
  changes: true,
  installed: true,
  bundles: true,
  members: true,
  leases: true,
} satisfies Record<BucketName, true>;

const cluster = z.strictObject({
  /** NATS servers, tried in turn; none: this host works alone, on SQLite. */
  servers: z.array(url('nats', 'tls')).default([]),
  /** Begins the names of all that is kept there, so that two clusters can share one NATS. */
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,32}$/, '1 to 32 letters, digits, dashes and underscores')
    .default('vcx'),
  /** Copies of everything: 1 in development, 3 recommended. */
  replicas: z.int().min(1).max(5).default(1),
  user: z.string().optional(),
  passwordFile: z.string().optional(),
  /** Seed of a user's nkey. */
  nkeyFile: z.string().optional(),
  /** A `.creds` file. */
  credentialsFile: z.string().optional(),
  caFile: z.string().optional(),
  certFile: z.string().optional(),
  keyFile: z.string().optional(),
  /** Bytes that NATS keeps for each kind; the same on all hosts. */
  bytes: z
    .strictObject(
      Object.fromEntries(
        Object.keys(KEPT).map((name) => [name, z.int().min(1_048_576).optional()]),
      ) as Record<BucketName, z.ZodOptional<z.ZodInt>>,
    )
    .default({}),
  /** What others see this host as; default: the name of the machine and the pid. */
  hostName: z.string().min(1).max(128).optional(),
});

export const configSchema = z.strictObject({
  amqp: amqp.prefault({}),
  vcloud: vcloud.prefault({}),
  plugins: z
    .strictObject({
      /** Folders of plug-ins, or that hold such. */
      folders: z.array(z.string()).min(1).default(['plugins']),
      /** By plug-in: templates of its `vcloudPaths` that are approved, word for word. */
      vcloudPaths: z.record(z.string(), z.array(z.string())).default({}),
      /** Reload a plug-in folder when a file in it changes. */
      watch: z.boolean().default(false),
      /** Folder for bundles: what is put there is installed. */
      inbox: z.string().optional(),
      /** Owners, their keys and namespaces; without it no signature can be trusted. */
      trustFile: z.string().optional(),
      /** Development only: take bundles that nobody signed. */
      allowUnsigned: z.boolean().default(false),
    })
    .prefault({}),
  fetch: z
    .strictObject({
      /** Ranges that are not public and that plug-ins may fetch from all the same, such as 10.1.0.0/16. */
      addresses: z.array(z.string()).default([]),
      /** Certificate authorities, PEM, in place of the built-in ones. */
      caFile: z.string().optional(),
    })
    .prefault({}),
  /** What the secrets of orgs are encrypted with: 32 bytes in base64. Default: a file in `stateDir`, made at the first start. */
  secrets: z
    .strictObject({ key: z.string().optional(), keyFile: z.string().optional() })
    .prefault({}),
  cluster: cluster.prefault({}),
  notifications: z
    .strictObject({
      /**
       * vCloud's exchanges: `systemExchange` has the events as XML, `{AmqpPrefix}.notifications20` as JSON. With both,
       * each event comes twice and is handled once.
       */
      exchanges: z.array(z.string().min(1)).min(1).default(['systemExchange']),
      /** Events of one plug-in in hand at once, at most. */
      prefetch: z.int().min(1).max(1_000).default(128),
      /** Pauses before the second, third, … try of an event, in ms; the last one repeats. */
      retryMs: z.array(ms).min(1).max(20).default([1_000, 5_000, 30_000, 120_000, 600_000]),
    })
    .prefault({}),
  sandbox: sandbox.prefault({}),
  quotas: quotas.prefault({}),
  admission: admission.prefault({}),
  operator: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      /** 0 takes a free port. */
      port: z.int().min(0).max(65_535).default(8_780),
      /** Names beside the address itself under which the endpoint may be called. */
      hosts: z.array(z.string()).default([]),
    })
    .prefault({}),
  limits: z
    .strictObject({
      /** Largest AMQP message that is worked on, in bytes. */
      messageBytes: z.int().min(1_024).max(67_108_864).default(16_777_216),
    })
    .prefault({}),
  /** Longest time that a stop waits for calls in flight. */
  drainMs: ms.default(15_000),
  /** Folder of the operator token and other state. */
  stateDir: z.string().default('.vcx'),
  log: z
    .strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info') })
    .prefault({}),
});
