/** `node test/support/docs.ts`: writes the tables of `host/README.md` that come from the code. A test compares. */
import { readFileSync, writeFileSync } from 'node:fs';

import { CODES } from '../../host/kernel/errors.ts';
import { LIMITS } from '../../host/quotas/limits.ts';

const FILE = new URL('../../host/README.md', import.meta.url);

export function tables(): Record<string, string> {
  return {
    codes: [
      '| code | status | blame | meaning |',
      '|---|---|---|---|',
      ...Object.entries(CODES).map(
        ([code, { status, blame, means }]) => `| \`${code}\` | ${status} | ${blame} | ${means} |`,
      ),
    ].join('\n'),
    limits: [
      '| limit | unit | default | least | ceiling | what it bounds |',
      '|---|---|---|---|---|---|',
      ...Object.entries(LIMITS).map(
        ([name, l]) =>
          `| \`${name}\` | ${l.unit} | ${l.default} | ${l.min} | ${l.ceiling} | ${l.means} |`,
      ),
    ].join('\n'),
  };
}

/** The page with each `<!-- table:NAME -->` … `<!-- end -->` filled in. */
export function withTables(page: string): string {
  const made = tables();
  return page.replaceAll(
    /(<!-- table:(\w+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, open: string, name: string, close: string) => `${open}${made[name]}\n${close}`,
  );
}

if (import.meta.main) writeFileSync(FILE, withTables(readFileSync(FILE, 'utf8')));
