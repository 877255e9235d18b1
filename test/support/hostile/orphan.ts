/**
 * A host that waits to be killed, with a runner whose guest can not be interrupted: prints the pids of its runners.
 * Arguments: words to put before the runners' command line.
 */
import { bundleGuest, openHostileKit } from './kit.ts';

const argvPrefix = process.argv.slice(2);
const kit = await openHostileKit({
  spares: 1,
  ...(argvPrefix.length > 0 ? { argvPrefix, uidRange: null } : {}),
});
const wedge = await bundleGuest({
  name: 'wedge',
  call: 'await env.kv.get("x"); Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1);',
  limits: { cpuMs: 30_000, wallMs: 30_000 },
});
const asked = Promise.withResolvers<void>();
void kit.call(wedge, {
  act: 'evil',
  withinMs: 30_000,
  hostCall: async () => {
    asked.resolve();
    return '{"ok":true,"value":1}';
  },
});
await asked.promise;
process.stdout.write(JSON.stringify(kit.pids()));
