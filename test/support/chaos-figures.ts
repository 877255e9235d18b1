/**
 * The table of figures that the chaos tests measure, beside what they aim at.
 * May import: nothing.
 */

export interface Figures {
  add(what: string, target: string, measured: string): void;
  /** Write the table to standard output. */
  print(): void;
}

export function createFigures(): Figures {
  const rows: [string, string, string][] = [['what', 'target', 'measured']];
  return {
    add: (...row) => void rows.push(row),
    print() {
      const widths = [0, 1, 2].map((column) =>
        Math.max(...rows.map((row) => row[column]?.length ?? 0)),
      );
      const lines = rows.map(
        (row) => `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`,
      );
      if (rows.length > 1) process.stdout.write(`\n${lines.join('\n')}\n\n`);
    },
  };
}

/** Value below which a part of the numbers lies; NaN of none. */
export function percentile(numbers: readonly number[], part: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

export const ms = (value: number): string => `${value.toFixed(0)} ms`;
