/**
 * A host that got a descriptor from its own parent (its number is the first argument): prints whether a runner has it.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { openHostileKit, until } from './kit.ts';

const fd = process.argv[2] ?? '';
const link = readlinkSync(`/proc/self/fd/${fd}`);
await using kit = await openHostileKit();
await until('a spare is ready', () => kit.sandbox.status().ready);
const pid = kit.pids()[0] ?? 0;
const seen = readdirSync(`/proc/${pid}/fd`).map((name) => readlinkSync(`/proc/${pid}/fd/${name}`));
process.stdout.write(seen.includes(link) ? 'inherited' : 'closed');
