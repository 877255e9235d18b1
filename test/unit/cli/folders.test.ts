import { expect, test } from 'vitest';

import { compiledFolder, withPathsFrom } from '../../../host/cli/folders.ts';

test('what is compiled is kept below the cache folder, or nowhere for a user without a home', () => {
  const nowhere = () => {
    throw new Error('uv_os_homedir returned ENOENT');
  };
  expect(compiledFolder({}, () => '/home/a')).toBe('/home/a/.cache/vcx/compiled');
  expect(compiledFolder({ VCX_CACHE_DIR: '/var/cache/vcx' }, nowhere)).toBe(
    '/var/cache/vcx/compiled',
  );
  expect(compiledFolder({}, nowhere)).toBeNull();
});

test('a file that a variable names is meant from the folder in which the command was typed', () => {
  const env = { VCX_PLUGINS_TRUST_FILE: 'trust.json', VCX_AMQP_URL: 'amqp://a', HOME: 'b' };
  expect(withPathsFrom('/work', env)).toEqual({
    ...env,
    VCX_PLUGINS_TRUST_FILE: '/work/trust.json',
  });
});
