/**
 * Telling the failures of host services from others.
 * May import: nothing.
 */

/** What a binding's method rejects with. `code` is stable, the message is for people. */
export interface BindingError extends Error {
  readonly name: 'BindingError';
  readonly code: string;
}

/**
 * Whether a caught value is the refusal of a host service, and of that code when one is given.
 *
 * @example
 * try { await env.kv.put(key, value) } catch (error) {
 *   if (isBindingError(error, 'BINDING_DENIED')) return new Response(null, { status: 501 });
 *   throw error;
 * }
 */
export function isBindingError(error: unknown, code?: string): error is BindingError {
  if (!(error instanceof Error) || error.name !== 'BindingError') return false;
  return code === undefined || (error as BindingError).code === code;
}
