/**
 * `vcx check`: is the configuration valid, and does every plug-in load?
 * May import: everything.
 */
import { readConfig } from '../config.ts';
import { checkPlugins } from '../compose/plugins.ts';

export async function check(options: { json?: boolean }): Promise<number> {
  const config = readConfig(process.env, process.cwd());
  const plugins = await checkPlugins(config);
  const ok = plugins.every((plugin) => plugin.state === 'live');
  if (options.json) {
    console.log(JSON.stringify({ ok, config: config.source, plugins }, null, 2));
    return ok ? 0 : 1;
  }
  console.log(`configuration: valid (${config.source})`);
  for (const { name, version, state, reason, loadMs } of plugins)
    console.log(
      state === 'live'
        ? `plug-in ${name} ${version}: loads (${loadMs.toFixed(0)} ms)`
        : `plug-in ${name}: FAILED: ${reason}`,
    );
  if (plugins.length === 0) console.log(`no plug-ins below ${config.plugins.folders.join(', ')}`);
  return ok ? 0 : 1;
}
