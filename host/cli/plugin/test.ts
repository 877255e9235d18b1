/**
 * `vcx plugin test`: the plug-in's own Vitest, with a kit that runs it in a real isolate; then how near it came to its limits.
 * May import: everything.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import type { Headroom } from '../../../sdk/testing/headroom.ts';
import { HostError } from '../../kernel/errors.ts';
import { commandLine, SDK_FOLDER } from './sdk.ts';
import type { Answer, CommonOptions } from './run.ts';

interface Counts {
  readonly total: number;
  readonly passed: number;
  readonly failed: number;
}

/** Vitest's report goes to standard error with `--json`. `filters` are Vitest's. */
export async function testPlugin(
  given: string,
  filters: readonly string[],
  options: CommonOptions,
): Promise<Answer> {
  const folder = await realpath(resolve(given)).catch((error: unknown) => {
    throw new HostError('CONFIG_INVALID', `${given}: there is no such folder`, { cause: error });
  });
  if (!existsSync(join(folder, 'plugin.json')))
    throw new HostError('CONFIG_INVALID', `${given} holds no plugin.json`);
  const work = await mkdtemp(join(tmpdir(), 'vcx-test-'));
  try {
    const code = await runVitest(folder, { work, filters, json: options.json ?? false });
    const headroom = await readHeadroom(join(work, 'headroom'));
    const counts = options.json ? await readCounts(join(work, 'report.json')) : {};
    return {
      ok: code === 0,
      text: [
        ...(headroom.length > 0 ? table(headroom) : ['no call was made: no headroom to report']),
      ],
      json: { ...counts, headroom },
    };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

interface Run {
  /** Folder for configuration and reports. */
  readonly work: string;
  readonly filters: readonly string[];
  readonly json: boolean;
}

async function runVitest(folder: string, { work, filters, json }: Run): Promise<number> {
  const vitest = vitestFor(folder);
  const own = ['ts', 'mts', 'js', 'mjs'].some((end) =>
    existsSync(join(folder, `vitest.config.${end}`)),
  );
  const config = own ? [] : ['--config', await writeConfig(work, vitest.folder)];
  const args = [
    join(vitest.folder, 'vitest.mjs'),
    'run',
    '--root',
    folder,
    ...config,
    '--reporter=default',
    ...(json ? ['--reporter=json', `--outputFile.json=${join(work, 'report.json')}`] : []),
    ...filters,
  ];
  const child = spawn(process.execPath, args, {
    cwd: folder,
    stdio: ['ignore', json ? 2 : 'inherit', 'inherit'],
    env: {
      ...process.env,
      VCX_COMMAND: JSON.stringify(commandLine()),
      VCX_HEADROOM_FILE: join(work, 'headroom'),
    },
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

/** The plug-in's own Vitest, or the one beside vcx when it has none. */
function vitestFor(folder: string): { folder: string } {
  for (const from of [join(folder, 'plugin.json'), import.meta.filename])
    try {
      return { folder: join(createRequire(from).resolve('vitest/package.json'), '..') };
    } catch {
      // The next place.
    }
  throw new HostError('CONFIG_INVALID', 'Vitest is not installed: run `npm install` in the folder');
}

/** For a plug-in without a configuration: works before `npm install` too. */
async function writeConfig(work: string, vitest: string): Promise<string> {
  const file = join(work, 'vitest.config.mjs');
  const alias = {
    '@vcx/sdk/testing': join(SDK_FOLDER, 'testing', 'index.ts'),
    vitest: join(vitest, 'dist', 'index.js'),
  };
  const isClone = existsSync(alias['@vcx/sdk/testing']);
  const config = {
    resolve: { alias: isClone ? alias : {} },
    test: { include: ['**/*.test.ts'], testTimeout: 60_000, hookTimeout: 60_000 },
    cacheDir: join(work, 'cache'),
  };
  await writeFile(file, `export default ${JSON.stringify(config)};\n`);
  return file;
}

/** Every test that opened the plug-in left a line: the most of each quota counts. */
async function readHeadroom(file: string): Promise<Headroom[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const most = new Map<string, Headroom>();
  for (const line of text.split('\n').filter(Boolean))
    for (const one of JSON.parse(line) as Headroom[])
      if (one.used >= (most.get(one.quota)?.used ?? 0)) most.set(one.quota, one);
  return [...most.values()];
}

async function readCounts(file: string): Promise<Counts> {
  const text = await readFile(file, 'utf8').catch(() => '{}');
  const report = JSON.parse(text) as Record<string, number | undefined>;
  return {
    total: report['numTotalTests'] ?? 0,
    passed: report['numPassedTests'] ?? 0,
    failed: report['numFailedTests'] ?? 0,
  };
}

function table(headroom: readonly Headroom[]): string[] {
  const rows = headroom.map(({ quota, unit, used, limit, left }) => [
    quota,
    `${used} ${unit}`,
    `${limit} ${unit}`,
    `${(left * 100).toFixed(0)} %`,
  ]);
  const all = [['quota', 'most used', 'limit', 'headroom'], ...rows];
  const widths = [0, 1, 2, 3].map((i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
