/**
 * vcx.yaml and the environment, validated and resolved.
 * May import: kernel and below.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

import { parse } from 'yaml';
import { z } from 'zod';

import { configSchema } from './config-schema.ts';
import { HostError, messageOf } from './kernel/errors.ts';

export type Config = z.infer<typeof configSchema> & {
  /** Where the settings came from, for messages. */
  readonly source: string;
};

/** Variables of ours that are not settings. */
const NOT_SETTINGS = new Set([
  'VCX_CACHE_DIR',
  'VCX_CONFIG',
  'VCX_TRUST_FILE',
  'VCX_OPERATOR_TOKEN',
  'VCX_OPERATOR_URL',
]);

/** Whether this environment or folder configures a real host: then nothing local is started. */
export function isConfigured(env: NodeJS.ProcessEnv, cwd: string): boolean {
  return Boolean(
    env['VCX_CONFIG'] ||
    env['VCX_AMQP_URL'] ||
    env['VCX_VCLOUD_URL'] ||
    existsSync(`${cwd}/vcx.yaml`),
  );
}

/** Read file and environment; throws CONFIG_INVALID that names every wrong key and what was expected. */
export function readConfig(env: NodeJS.ProcessEnv, cwd: string): Config {
  const file = env['VCX_CONFIG'] ?? resolve(cwd, 'vcx.yaml');
  const fromFile = existsSync(file) || env['VCX_CONFIG'] ? readYaml(file) : {};
  const settings = applyEnvironment(fromFile, env);
  const result = configSchema.safeParse(settings);
  if (!result.success) {
    const lines = result.error.issues.map(
      (issue) => `${issue.path.join('.') || file}: ${describe(issue)}`,
    );
    throw new HostError('CONFIG_INVALID', lines.join('; '));
  }
  return relativeTo(dirname(file), {
    ...result.data,
    source: existsSync(file) ? file : 'environment',
  });
}

function describe(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'unrecognized_keys') return issue.message;
  return `unknown key${issue.keys.length > 1 ? 's' : ''} ${issue.keys.map((key) => `"${key}"`).join(', ')}`;
}

function readYaml(file: string): Record<string, unknown> {
  try {
    const value: unknown = parse(readFileSync(file, 'utf8')) ?? {};
    if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
    throw new Error('the top level is not a mapping');
  } catch (error) {
    throw new HostError('CONFIG_INVALID', `${file}: ${messageOf(error)}`, { cause: error });
  }
}

/** `VCX_AMQP_URL` sets `amqp.url`, `VCX_VCLOUD_EXTENSION_TIMEOUT_MS` sets `vcloud.extensionTimeoutMs`. */
function applyEnvironment(
  settings: Record<string, unknown>,
  env: NodeJS.ProcessEnv,
): Record<string, unknown> {
  const result = structuredClone(settings);
  const known = new Map(leafPaths(configSchema).map((path) => [variableOf(path), path]));
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('VCX_') || NOT_SETTINGS.has(name) || text === undefined) continue;
    const path = known.get(name);
    if (!path) throw new HostError('CONFIG_INVALID', `${name}: no such setting`);
    setPath(result, path, parseScalar(text));
  }
  return result;
}

function variableOf(path: readonly string[]): string {
  return `VCX_${path.map((part) => part.replaceAll(/[A-Z]/g, (c) => `_${c}`).toUpperCase()).join('_')}`;
}

function leafPaths(type: z.ZodType, path: string[] = []): string[][] {
  let inner: unknown = type;
  while (inner instanceof z.ZodPrefault || inner instanceof z.ZodDefault) inner = inner.unwrap();
  if (!(inner instanceof z.ZodObject)) return [path];
  const shape = inner.shape as Record<string, z.ZodType>;
  return Object.entries(shape).flatMap(([key, child]) => leafPaths(child, [...path, key]));
}

/** Numbers, booleans and lists are written as in YAML; anything else is text. */
function parseScalar(text: string): unknown {
  if (/^(?:\[.*\]|true|false|-?\d+)$/.test(text)) return parse(text) as unknown;
  return text;
}

function setPath(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key = '', ...rest] = path;
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  const child = target[key];
  const next = typeof child === 'object' && child !== null ? child : {};
  target[key] = next;
  setPath(next as Record<string, unknown>, rest, value);
}

/** Paths in a file are relative to that file. */
function relativeTo(base: string, config: Config): Config {
  const at = (path: string) => resolve(base, path);
  const files = <T extends Record<string, unknown>>(section: T): T =>
    Object.fromEntries(
      Object.entries(section).map(([key, value]) =>
        key.endsWith('File') && typeof value === 'string' ? [key, at(value)] : [key, value],
      ),
    ) as T;
  return {
    ...config,
    amqp: files(config.amqp),
    vcloud: files(config.vcloud),
    fetch: files(config.fetch),
    secrets: files(config.secrets),
    cluster: files(config.cluster),
    plugins: {
      ...files(config.plugins),
      folders: config.plugins.folders.map(at),
      ...(config.plugins.inbox === undefined ? {} : { inbox: at(config.plugins.inbox) }),
    },
    stateDir: at(config.stateDir),
  };
}
