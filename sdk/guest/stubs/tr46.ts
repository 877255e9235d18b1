/**
 * Stands for tr46 under whatwg-url: ASCII names need no tables, others go to the runner.
 * May import: host.
 */
import { domainToASCII } from '../host.ts';

/** ASCII form of a domain, or null when it has none; lower-cases ASCII names and checks punycode labels outside. */
export function toASCII(domain: string): string | null {
  const lower = domain.toLowerCase();
  if (!/[^\x00-\x7f]|xn--/.test(lower)) return lower;
  return domainToASCII(lower) || null;
}

export function toUnicode(domain: string): { domain: string; error: boolean } {
  return { domain, error: false };
}
