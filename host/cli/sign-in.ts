/**
 * Signs a user in at a cell, for the lines that `start` prints and for the smoke run.
 * May import: kernel.
 */
import { HostError } from '../kernel/errors.ts';

/** Returns the session token for `x-vcloud-authorization`. */
export async function signIn(cell: string, user: string, password: string): Promise<string> {
  const response = await fetch(`${cell}/api/sessions`, {
    method: 'POST',
    headers: {
      Accept: 'application/*+xml;version=36.0',
      Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
    },
  });
  await response.arrayBuffer();
  const token = response.headers.get('x-vcloud-authorization');
  if (!token) throw new HostError('VCLOUD_REFUSED', `sign-in of ${user}: ${response.status}`);
  return token;
}
