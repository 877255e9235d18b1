/**
 * Loads a plug-in from its folder: plugin.json and an entry module that is bundled on the spot.
 * May import: kernel, quotas, sandbox.
 */
import { access, readFile } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';

import { bundlePlugin } from '#sdk/guest';

import { HostError, messageOf } from '../../kernel/errors.ts';
import type { Limits } from '../../quotas/limits.ts';
import type { LimitsBook } from '../../quotas/limits-book.ts';
import type { GuestBundle } from '../../sandbox/sandbox.ts';
import { parseManifest, type Manifest } from '../manifest/manifest.ts';

export interface LoadedPlugin {
  readonly manifest: Manifest;
  readonly guest: GuestBundle;
}

export interface FolderOptions {
  readonly bindings: readonly string[];
  readonly limits: LimitsBook;
  /** Least isolation, whatever the manifest says. */
  readonly isolation: Isolation;
}

type Isolation = GuestBundle['isolation'];

/** From the weakest to the strongest. */
const ISOLATIONS: readonly Isolation[] = ['plugin', 'org', 'request'];

function stricter(one: Isolation, other: Isolation): Isolation {
  return ISOLATIONS.indexOf(one) > ISOLATIONS.indexOf(other) ? one : other;
}

/** Throws BUNDLE_INVALID with the reason; touches nothing else. */
export async function loadFolder(
  folder: string,
  { bindings, limits, isolation }: FolderOptions,
): Promise<LoadedPlugin> {
  const manifest = parseManifest(await readJson(join(folder, 'plugin.json')));
  const unknown = manifest.bindings.find((name) => !bindings.includes(name));
  if (unknown)
    throw new HostError(
      'BUNDLE_INVALID',
      `plugin.json: bindings: there is no ${JSON.stringify(unknown)} (there are: ${bindings.join(', ')})`,
    );
  const entry = resolve(folder, manifest.main);
  if (relative(folder, entry).startsWith(`..${sep}`))
    throw new HostError('BUNDLE_INVALID', 'plugin.json: main: leaves the folder of the plug-in');
  await access(entry).catch((error: unknown) => {
    throw new HostError('BUNDLE_INVALID', `${manifest.main}: there is no such file`, {
      cause: error,
    });
  });
  const built = await bundlePlugin(entry).catch((error: unknown) => {
    throw new HostError('BUNDLE_INVALID', `${manifest.main}: ${messageOf(error)}`, {
      cause: error,
    });
  });
  const resolved = limits.resolve(manifest.name, manifest.limits);
  const given = { limits: resolved, least: isolation };
  return { manifest, guest: guestBundle(manifest, built, given) };
}

function guestBundle(
  manifest: Manifest,
  built: { source: string; digest: string },
  { limits, least }: { limits: Limits; least: Isolation },
): GuestBundle {
  return {
    plugin: manifest.name,
    version: manifest.version,
    digest: built.digest,
    source: built.source,
    limits,
    isolation: stricter(manifest.isolation, least),
    bindings: manifest.bindings,
  };
}

async function readJson(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new HostError('BUNDLE_INVALID', 'plugin.json can not be read', { cause: error });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new HostError('BUNDLE_INVALID', `plugin.json is not JSON: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
