import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { URL_FILE, writeOperatorUrl } from '../../../host/operator/url-file.ts';

const [ONE, OTHER] = ['http://127.0.0.1:8780', 'http://127.0.0.1:40000'];
let folder: string;
beforeEach(() => {
  vi.useFakeTimers();
  folder = mkdtempSync(join(tmpdir(), 'vcx-url-'));
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

const written = () => {
  const file = join(folder, URL_FILE);
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : null;
};

test('a host that ends takes its own address with it and no other', () => {
  const first = writeOperatorUrl(folder, ONE);
  const second = writeOperatorUrl(folder, OTHER);
  expect(written()).toBe(OTHER);
  first[Symbol.dispose]();
  expect(written()).toBe(OTHER);
  second[Symbol.dispose]();
  vi.runOnlyPendingTimers();
  expect(written()).toBeNull();
});

test('when the last host of a folder ends, one that still runs is found again', () => {
  using _first = writeOperatorUrl(folder, ONE);
  writeOperatorUrl(folder, OTHER)[Symbol.dispose]();
  expect(written()).toBeNull();
  vi.runOnlyPendingTimers();
  expect(written()).toBe(ONE);
});

test('a folder that was removed is not made again', () => {
  using _host = writeOperatorUrl(folder, ONE);
  rmSync(folder, { recursive: true });
  vi.runOnlyPendingTimers();
  expect(existsSync(folder)).toBe(false);
});
