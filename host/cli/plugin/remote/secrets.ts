/**
 * `vcx plugin secret` and `token`: what is set or shown once, and never again.
 * May import: everything.
 */
import { writeFile } from 'node:fs/promises';

import { HostError, messageOf } from '../../../kernel/errors.ts';
import type { SecretInfo } from '../../../storage/tenants.ts';
import type { OwnerToken } from '../../../storage/tokens.ts';
import type { Answer } from '../run.ts';
import type { Client } from './client.ts';
import { orgId, pluginPath, table, time } from './remote.ts';
import { readSecret } from './secret-input.ts';

/** Without a key the names of those that are set. */
export async function secret(
  client: Client,
  name: string,
  key: string | undefined,
  options: { readonly org: string; readonly delete?: boolean },
): Promise<Answer> {
  const org = orgId(options.org);
  const path = pluginPath(name, 'tenants', org, 'secrets');
  if (key === undefined) {
    const { secrets } = await client.get<{ secrets: SecretInfo[] }>(path);
    const rows = secrets.map((one) => [one.name, time(one.changedAt)]);
    return {
      ok: true,
      text: rows.length > 0 ? table(rows) : ['no secret is set'],
      json: { org, secrets },
    };
  }
  const place = `${path}/${encodeURIComponent(key)}`;
  if (options.delete) await client.send('DELETE', place);
  else await client.send('PUT', place, { value: await readSecret(`${key}: `) });
  const done = options.delete ? 'deleted' : 'set';
  return { ok: true, text: [`${key} is ${done} for ${org}`], json: { name, org, key, done } };
}

type TokenInfo = Omit<OwnerToken, 'digest'>;

export async function createToken(
  client: Client,
  name: string,
  { owner, out }: { readonly owner: string; readonly out?: string },
): Promise<Answer> {
  if (out !== undefined) await reserve(out);
  const made = await client.send<TokenInfo & { token: string }>('POST', '/tokens', { name, owner });
  const { token, ...info } = made;
  if (out === undefined)
    return {
      ok: true,
      text: [
        token,
        `It is shown this once; with it ${owner} deploys and looks after its plug-ins.`,
      ],
      json: { ...made },
    };
  await writeFile(out, `${token}\n`);
  return {
    ok: true,
    text: [`${out}: the token ${name} of ${owner}`],
    json: { ...info, file: out },
  };
}

/** Before the token is made, so that none is lost for a file that can not be written. */
async function reserve(file: string): Promise<void> {
  await writeFile(file, '', { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
    throw new HostError('CONFIG_INVALID', messageOf(error), { cause: error });
  });
}

export async function listTokens(client: Client): Promise<Answer> {
  const { tokens } = await client.get<{ tokens: TokenInfo[] }>('/tokens');
  const rows = tokens.map(({ name, owner, createdAt }) => [name, owner, time(createdAt)]);
  const head = ['NAME', 'OWNER', 'MADE'];
  return {
    ok: true,
    text: rows.length > 0 ? table([head, ...rows]) : ["there is no token but the operator's"],
    json: { tokens },
  };
}

export async function deleteToken(client: Client, name: string): Promise<Answer> {
  await client.send('DELETE', `/tokens/${encodeURIComponent(name)}`);
  return { ok: true, text: [`${name} opens nothing any more`], json: { name } };
}
