import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { cellClient } from '../../support/client.ts';
import { openLive } from '../../support/live.ts';

test('vCloud’s own answers of a type go through the plug-in that asked for them', async () => {
  const folders = [fileURLToPath(new URL('../../support/samples/filters', import.meta.url))];
  await using live = await openLive({ folders });
  const [org] = live.cells.orgs;
  const [user] = org?.users ?? [];
  const cell = live.cells.cells[0];
  if (!org || !user || !cell) throw new Error('the cloud has no org');
  const client = await cellClient(cell.url, `${user.name}@${org.name}`, user.password);
  const path = `/api/org/${org.id.split(':').at(-1)}`;
  const stamped = await client.get(path);
  expect(stamped.status, stamped.text).toBe(200);
  expect(stamped.json()).toMatchObject({ name: org.name, stamped: true });
  const other = await client.get(path, { headers: { Accept: 'application/*+xml;version=36.0' } });
  expect(other.text).not.toContain('stamped');
});
