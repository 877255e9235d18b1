/**
 * The targets of speed and memory, and how far the measured figures are from them.
 * May import: test/bench.
 */
import type { Cold, ManyOrgs, Memory, Spent, Waiting } from './alone.ts';
import type { Cell, Sample } from './compare.ts';
import type { EventFigures } from './events/section.ts';
import { brief } from './figures.ts';
import type { Beside } from './hostile.ts';

/** Everything that a run found; parts that were not run are absent. */
export interface Figures {
  cells?: Cell[];
  echo?: { bytes: number; sample: Sample }[];
  dispatch?: Spent;
  cold?: { warm: Cold; fresh: Cold };
  memory?: Memory;
  orgs?: ManyOrgs;
  waiting?: Waiting;
  hostile?: { otherPlugin: Beside; samePlugin: Beside };
  events?: EventFigures;
}

export interface Verdict {
  readonly what: string;
  readonly target: string;
  readonly measured: string;
  readonly verdict: string;
}

interface Rule {
  readonly what: string;
  /** Upper or lower bound. */
  readonly bound: { readonly most: number } | { readonly least: number };
  readonly unit: string;
  readonly value: number | null | undefined;
}

export function judge(figures: Figures): Verdict[] {
  return rulesOf(figures).flatMap((rule) => (rule.value === undefined ? [] : [verdictOf(rule)]));
}

function rulesOf(figures: Figures): Rule[] {
  const { cold, memory, orgs, waiting, hostile, events } = figures;
  const beside = hostile?.otherPlugin;
  const shared = hostile?.samePlugin;
  return [
    ...compared(figures),
    rule('an idle isolate with SDK and plug-in', { most: 2.5 }, 'MB', memory?.isolateMb),
    rule('a runner', { most: 25 }, 'MB PSS', memory?.runnerMb),
    rule('first call of an org, warm runner, p99', { most: 15 }, 'ms', cold?.warm.p99),
    rule('first call of an org, new runner from spare, p99', { most: 60 }, 'ms', cold?.fresh.p99),
    rule('CPU per call, 1,000 orgs against 1', { most: 1.15 }, 'x', ratio(orgs, 1_000)),
    rule('CPU per call, 100 orgs against 1', { most: 1.15 }, 'x', ratio(orgs, 100)),
    rule('16 at once, handlers wait 50 ms', { least: 0.8 }, 'of ideal', waiting?.sustained),
    rule('100 at once from cold, 16 in an isolate', { least: 0.8 }, 'of ideal', waiting?.together),
    rule("quiet org's p99 beside a hostile one", { most: 2 }, 'x', beside?.p99Ratio),
    rule('  the same, in the plug-in it attacks', { most: 2 }, 'x', shared?.p99Ratio),
    rule(
      "quiet org's errors meanwhile",
      { most: 0 },
      'errors',
      hostile && (beside?.errors ?? 0) + (shared?.errors ?? 0),
    ),
    rule('events of one subscriber that does nothing', { least: 0.5 }, 'of raw', events?.one.ratio),
    rule('  the same, JSON', { least: 0.5 }, 'of raw', events?.json.ratio),
    rule('  the same, of ten orgs', { least: 0.5 }, 'of raw', events?.ten.ratio),
    rule('events lost when a host is killed', { most: 0 }, 'events', events?.killed.lost),
    rule(
      '  handled again after their acknowledgement',
      { most: 0 },
      'events',
      events?.killed.againAfterAck,
    ),
    rule('999 events beside a poison one', { most: 1.1 }, 'x', events?.poison.ratio),
  ];
}

function compared({ cells }: Figures): Rule[] {
  const at = (inFlight: number) =>
    cells?.find((cell) => cell.inFlight === inFlight && cell.bytes === 1_024);
  const busy = at(100);
  const calm = at(1);
  const cpu = (who: string) => {
    const sample = busy?.peers[who];
    return sample && sample.rootUs + sample.belowUs;
  };
  const pika = cpu('pika');
  return [
    rule('throughput, 1 KB, 100 in flight (aim 0.8)', { least: 0.6 }, 'of raw', busy?.rateOfRaw),
    rule('p50, 1 KB, 1 in flight, above raw', { most: 0.3 }, 'ms', calm?.p50OverRaw),
    rule('p99, 1 KB, 1 in flight, above raw', { most: 3 }, 'ms', calm?.p99OverRaw),
    rule('CPU per call, host and runners', { most: pika ?? 0 }, 'us (pika)', pika && cpu('vcx')),
  ];
}

function ratio(orgs: ManyOrgs | undefined, count: number): number | undefined {
  const [one, many] = [orgs?.us[1], orgs?.us[count]];
  return one === undefined || many === undefined ? undefined : many / one;
}

function rule(what: string, bound: Rule['bound'], unit: string, value: Rule['value']): Rule {
  return { what, bound, unit, value };
}

function verdictOf({ what, bound, unit, value }: Rule): Verdict {
  const [word, limit] = 'most' in bound ? ['<=', bound.most] : ['>=', bound.least];
  const target = `${word} ${brief(limit)} ${unit}`;
  if (value === null || value === undefined || Number.isNaN(value))
    return { what, target, measured: '-', verdict: 'not measured' };
  const missed = 'most' in bound ? value - limit : limit - value;
  const share = limit === 0 ? '' : ` (${((missed / limit) * 100).toFixed(0)} %)`;
  const verdict = missed <= 0 ? 'met' : `missed by ${brief(missed)}${share}`;
  return { what, target, measured: brief(value), verdict };
}
