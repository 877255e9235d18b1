/**
 * What an examination finds: one line a question, and the exact fix where something is wrong.
 * May import: nothing.
 */

export interface Finding {
  /** What was looked at, as `vcloud.sign-in`. */
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'failed' | 'skipped';
  readonly detail: string;
  /** What to do; null when there is nothing to do. */
  readonly fix: string | null;
}

export const ok = (check: string, detail: string): Finding => ({
  check,
  state: 'ok',
  detail,
  fix: null,
});

export const warning = (check: string, detail: string, fix: string): Finding => ({
  check,
  state: 'warning',
  detail,
  fix,
});

export const failed = (check: string, detail: string, fix: string): Finding => ({
  check,
  state: 'failed',
  detail,
  fix,
});

export const skipped = (check: string, detail: string): Finding => ({
  check,
  state: 'skipped',
  detail,
  fix: null,
});
