/**
 * What a call cost, in words.
 * May import: bundles.
 */
import type { CallFigures } from '../../bundles/live/logbook.ts';

/** Such as `cpu 1.2 ms`; the last says why it failed. `text` is that of the call's line. */
export function figuresOf(call: CallFigures, text: string): string[] {
  const { code, cpuMs, wallMs, memoryKb, hostCalls, cold } = call;
  const why = code === null || text.startsWith(code) ? [text] : [code, text];
  return [
    `cpu ${cpuMs.toFixed(1)} ms`,
    `wall ${wallMs.toFixed(1)} ms`,
    memoryKb === null ? 'memory ?' : `memory ${(memoryKb / 1_024).toFixed(1)} MB`,
    `host calls ${hostCalls}`,
    ...(cold ? ['cold'] : []),
    ...why.filter((word) => word !== ''),
  ];
}
