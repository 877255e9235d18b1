/**
 * What the sample orgs get of the plug-in at hand: the plug-in itself, configuration and secrets from files.
 * May import: everything.
 */
import { HostError } from '../../../kernel/errors.ts';
import { parseJson, readText } from '../files.ts';
import type { Client } from '../remote/client.ts';
import { orgId, pluginPath } from '../remote/remote.ts';

export interface SettingFiles {
  /** JSON file for `env.config`. */
  readonly config?: string | undefined;
  /** `NAME=FILE` each. */
  readonly secret?: readonly string[] | undefined;
}

export interface Settings {
  /** Read the files anew and set what they hold for these orgs; rejects with what is wrong. */
  apply(client: Client, plugin: string, orgs: readonly string[]): Promise<void>;
}

/** Throws CONFIG_INVALID for files that can not be read. */
export async function readSettings(files: SettingFiles): Promise<Settings> {
  const secrets = (files.secret ?? []).map(readPair);
  const read = () => readAll(files.config, secrets);
  await read();
  return {
    async apply(client, plugin, orgs) {
      const { config, values } = await read();
      for (const org of orgs) {
        const path = (...rest: string[]) => pluginPath(plugin, 'tenants', orgId(org), ...rest);
        await client.send('POST', path('enable'));
        if (config !== undefined) await client.send('PUT', path('config'), config);
        for (const { name, value } of values)
          await client.send('PUT', path('secrets', name), { value });
      }
    },
  };
}

interface Pair {
  readonly name: string;
  readonly file: string;
}

function readPair(text: string): Pair {
  const at = text.indexOf('=');
  if (at > 0 && at < text.length - 1) return { name: text.slice(0, at), file: text.slice(at + 1) };
  throw new HostError('CONFIG_INVALID', '--secret: NAME=FILE');
}

async function readAll(config: string | undefined, secrets: readonly Pair[]) {
  const values: { name: string; value: string }[] = [];
  // As `vcx plugin secret` does: the line break at the end of a file is not part of a secret.
  for (const { name, file } of secrets)
    values.push({ name, value: (await readText(file)).replace(/\r?\n$/, '') });
  if (config === undefined) return { config, values };
  return { config: parseJson(config, await readText(config)), values };
}
