/**
 * All bindings by name, and the one door through which guests reach them.
 * May import: kernel, storage.
 */
import { HostError, messageOf, type Code } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Binding, BindingResult, Grant } from './binding.ts';

export interface HostCall {
  readonly binding: string;
  readonly method: string;
  readonly argsJson: string;
  /** Told with which of our codes the binding refused it. */
  readonly failed?: (code: Code) => void;
}

export interface BindingRegistry {
  /** Names that a manifest may ask for. */
  readonly names: readonly string[];
  /** Serve one host call; never rejects, and no error text of the host's own crosses over. */
  serve(
    granted: readonly string[],
    grant: Grant,
    call: HostCall,
    signal: AbortSignal,
  ): Promise<string>;
}

function deniedText(binding: string): string {
  return `${binding.slice(0, 60)}: not granted to this plug-in: \`bindings\` of plugin.json must name it`;
}

export function createRegistry(
  bindings: readonly Binding[],
  { log, metrics }: { log: Log; metrics: Metrics },
): BindingRegistry {
  const byName = new Map(bindings.map((binding) => [binding.name, binding]));

  async function run(
    granted: readonly string[],
    grant: Grant,
    call: HostCall,
    signal: AbortSignal,
  ): Promise<BindingResult> {
    const binding = granted.includes(call.binding) ? byName.get(call.binding) : undefined;
    if (!binding) return { ok: false, code: 'BINDING_DENIED', message: deniedText(call.binding) };
    try {
      const value = await binding.call(grant, call.method, JSON.parse(call.argsJson), signal);
      return { ok: true, value: value ?? null };
    } catch (error) {
      if (error instanceof HostError) {
        call.failed?.(error.code);
        return { ok: false, code: error.code, message: messageOf(error) };
      }
      log.error('binding.failed', { ...grant, binding: call.binding, error: messageOf(error) });
      return { ok: false, code: 'BINDING_FAILED', message: `${call.binding} failed` };
    }
  }

  return {
    names: [...byName.keys()],
    async serve(granted, grant, call, signal) {
      const result = await run(granted, grant, call, signal);
      const code = result.ok ? 'OK' : result.code;
      const binding = byName.has(call.binding) ? call.binding : 'unknown';
      metrics.count('vcx_host_calls_total', { plugin: grant.plugin, binding, code });
      return JSON.stringify(result);
    },
  };
}
