/**
 * The part of the benchmark that is about notifications.
 * May import: test/bench.
 */
import { brief, table } from '../figures.ts';
import { killedInTheMiddle, type Killed } from './killed.ts';
import { besidePoison, type Poisoned } from './poison.ts';
import { eventRates, type Rate, type Rates } from './rate.ts';

export interface EventFigures {
  /** Of one org, of ten, and of one in the JSON form. */
  readonly one: Rates;
  readonly ten: Rates;
  readonly json: Rates;
  readonly killed: Killed;
  readonly poison: Poisoned;
}

export interface EventsOptions {
  readonly quick: boolean;
  /** Flags of Node for the host, e.g. for a profile. */
  readonly execArgv: readonly string[];
}

export async function measureEvents({ quick, execArgv }: EventsOptions): Promise<EventFigures> {
  const base = { count: quick ? 30_000 : 60_000, rounds: quick ? 1 : 3, execArgv };
  return {
    one: await eventRates({ ...base, orgs: 1 }),
    ten: await eventRates({ ...base, orgs: 10 }),
    json: await eventRates({ ...base, orgs: 1, form: 'json' }),
    killed: await killedInTheMiddle(10_000),
    poison: await besidePoison(quick ? 2 : 5),
  };
}

export function eventTables({ one, ten, json, killed, poison }: EventFigures): string {
  const row = (name: string, { perSecond, rootUs, belowUs }: Rate, ratio: string): string[] => [
    name,
    brief(perSecond),
    ratio,
    brief(rootUs),
    brief(belowUs),
  ];
  return [
    table(
      ['no-op subscriber', 'events/s', 'of raw', 'CPU us', 'of runners'],
      [
        row('raw amqplib, XML', one.raw, ''),
        row('vcx, XML, one org', one.vcx, brief(one.ratio)),
        row('vcx, XML, ten orgs', ten.vcx, brief(ten.ratio)),
        row('vcx, JSON, one org', json.vcx, brief(json.ratio)),
      ],
    ),
    '',
    table(
      ['what', 'measured'],
      [
        ['SIGKILL in the middle of', `${killed.events} events, ${killed.left} not acknowledged`],
        ['  lost', String(killed.lost)],
        ['  handled again after their acknowledgement', String(killed.againAfterAck)],
        ['  handled again, not acknowledged', String(killed.again - killed.againAfterAck)],
        ['1,000 events, ms', brief(poison.withoutMs)],
        ['  999 of them beside one that fails for ever', brief(poison.withMs)],
      ],
    ),
  ].join('\n');
}
