/**
 * The table of figures that the chaos tests measure, beside what they aim at.
 * May import: test/bench/figures.
 */
import { table } from '../../bench/figures.ts';

export interface Figures {
  add(what: string, target: string, measured: string): void;
  /** Write the table to standard output. */
  print(): void;
}

export function createFigures(): Figures {
  const rows: [string, string, string][] = [];
  return {
    add: (...row) => void rows.push(row),
    print() {
      const text = table(['what', 'target', 'measured'], rows);
      if (rows.length > 0) process.stdout.write(`\n${text}\n\n`);
    },
  };
}

export const ms = (value: number): string => `${value.toFixed(0)} ms`;
