/**
 * Counters, gauges and histograms of the host, in Prometheus' form.
 * May import: nothing of ours. prom-client is used here and nowhere else.
 */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

export interface Metrics {
  /** Add to a counter; it is made at first use, so every use of a name must have the same label names. */
  count(name: string, labels?: Record<string, string>, by?: number): void;
  /** Set a gauge. */
  gauge(name: string, value: number, labels?: Record<string, string>): void;
  /** Record a duration in milliseconds in a histogram. */
  observeMs(name: string, valueMs: number, labels?: Record<string, string>): void;
  /** The text form that Prometheus scrapes. */
  text(): Promise<string>;
  /** The present value of one counter, all labels added up unless given; for tests and status pages. */
  total(name: string, labels?: Record<string, string>): Promise<number>;
}

const BUCKETS_MS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

export function createMetrics(options: { process?: boolean } = {}): Metrics {
  const registry = new Registry();
  if (options.process) collectDefaultMetrics({ register: registry });
  const made = new Map<string, Counter | Gauge | Histogram>();

  function metric<T extends Counter | Gauge | Histogram>(name: string, make: () => T): T {
    let found = made.get(name) as T | undefined;
    if (!found) made.set(name, (found = make()));
    return found;
  }
  const base = (name: string, labels: Record<string, string>) => ({
    name,
    help: name.replaceAll('_', ' '),
    labelNames: Object.keys(labels),
    registers: [registry],
  });

  return {
    count: (name, labels = {}, by = 1) =>
      metric(name, () => new Counter(base(name, labels))).inc(labels, by),
    gauge: (name, value, labels = {}) =>
      metric(name, () => new Gauge(base(name, labels))).set(labels, value),
    observeMs: (name, valueMs, labels = {}) =>
      metric(name, () => new Histogram({ ...base(name, labels), buckets: BUCKETS_MS })).observe(
        labels,
        valueMs,
      ),
    text: () => registry.metrics(),
    async total(name, labels = {}) {
      const found = await registry.getSingleMetric(name)?.get();
      const wanted = Object.entries(labels);
      return (found?.values ?? [])
        .filter((v) => wanted.every(([k, x]) => v.labels[k] === x))
        .reduce((sum, v) => sum + v.value, 0);
    },
  };
}
