import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';

import { expect, onTestFinished, test } from 'vitest';

import { askFor, type NewOptions } from '../../../host/cli/plugin/new.ts';

/** Types a line for every question; the input ends after the last. */
async function asked(lines: string[], given?: string, options: NewOptions = {}) {
  const [input, output] = [new PassThrough(), new PassThrough()];
  let shown = '';
  output.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
    if (!chunk.toString().endsWith('): ')) return;
    const line = lines.shift();
    if (line === undefined) input.end();
    else input.write(`${line}\n`);
  });
  const chosen = await askFor(given, options, { input, output }).catch((error: unknown) => error);
  return { chosen, shown, left: lines.length };
}

test('a bad name and an unknown template are asked for again, with the reason', async () => {
  const { chosen, shown, left } = await asked(['My Plugin', 'mine', 'jsx', 'hono']);
  expect(chosen).toEqual({ name: 'mine', template: 'hono' });
  expect(shown).toMatch(/name: a lower-case letter[^\n]*found "My Plugin"\)\nname \(my-plugin\)/);
  expect(shown).toMatch(/template: one of ts, hono\ntemplate, ts or hono/);
  expect(left).toBe(0);
});

test('an empty line takes the default, and what is given is not asked for', async () => {
  expect((await asked(['', ''])).chosen).toEqual({ name: 'my-plugin', template: 'ts' });
  const { chosen, shown } = await asked([], 'given', { template: 'ts' });
  expect([chosen, shown]).toEqual([{ name: 'given', template: 'ts' }, '']);
});

test('the name of a folder that is in use is asked for again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vcx-new-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'x'), '');
  const { chosen, shown } = await asked(['mine'], undefined, { template: 'ts', dir: folder });
  expect(shown).toContain('is not empty');
  expect(chosen).toMatchObject({ code: 'CONFIG_INVALID' });
});

test('input that ends before an answer makes nothing', async () => {
  expect((await asked(['Bad'])).chosen).toMatchObject({ code: 'CONFIG_INVALID' });
});
