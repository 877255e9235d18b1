/**
 * Messages as nobody should send them, made from a seed: the same seed gives the same messages.
 * May import: test/support/messages, amqplib's types.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';

import type { Options } from 'amqplib';

import { httpMessage, securityContext } from '../pipeline/messages.ts';

export interface Shape {
  readonly routingKey: string;
  readonly body: Buffer;
  readonly properties: Options.Publish;
}

export interface ShapeOptions {
  readonly seed: number;
  /** Reply address of those that have a right one. */
  readonly replyTo: string;
}

const FIXTURES = new URL('../../../../shared/reference/fixtures/', import.meta.url);
const fixtures = existsSync(FIXTURES)
  ? readdirSync(FIXTURES).map((name) => readFileSync(new URL(name, FIXTURES), 'utf8'))
  : [];

const JUNK: readonly unknown[] = [
  null,
  '',
  0,
  -1,
  1e308,
  true,
  [],
  {},
  [[[]]],
  { a: { b: null } },
  'x'.repeat(5_000),
  '\u0000',
  'a\r\nb: c',
  '€💥',
  '\ud800',
  '__proto__',
  'constructor',
  'urn:vcloud:org:',
  'urn:vcloud:user:not-a-uuid',
  '/api/../etc/passwd',
  '/api/%2e%2e/x',
  '/api//hello;a=b',
  '/api/probe/%ff',
  '***',
  'PROPFIND',
  '9'.repeat(400),
];
const ROUTES = [
  ['probe', 'GET', '/api/probe/state'],
  ['probe', 'POST', '/api/probe/echo'],
  ['probe', 'GET', '/api/probe/not-a-response'],
  ['probe', 'GET', '/api/probe/throw'],
  ['probe', 'GET', '/api/probe/header-crlf'],
  ['counter', 'POST', '/api/counter'],
] as const;

/** A function that gives the next message. */
export function createShapes({ seed, replyTo }: ShapeOptions): () => Shape {
  const random = mulberry32(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const chance = (part: number) => random() < part;
  let serial = 0;

  const id = () => `fuzz-${seed}-${(serial += 1)}`;

  function mutate(object: Record<string, unknown>): Record<string, unknown> {
    const copy = { ...object };
    for (let count = 1 + below(3); count > 0; count -= 1) {
      const key = chance(0.1) ? String(pick(JUNK)) : pick(Object.keys(object));
      if (chance(0.25)) delete copy[key];
      else copy[key] = pick(JUNK);
    }
    return copy;
  }

  function valid(): { key: string; parts: [Record<string, unknown>, Record<string, unknown>] } {
    const [key, method, requestUri] = pick(ROUTES);
    const body = chance(0.3) ? Buffer.alloc(below(2_000), 'x').toString('base64') : '';
    const org = `urn:vcloud:org:70000000-0000-4000-8000-${String(below(50)).padStart(12, '0')}`;
    const http = httpMessage({ id: id(), method, requestUri, body });
    return { key, parts: [http, securityContext({ org })] };
  }

  function text(parts: readonly unknown[]): string {
    return JSON.stringify(chance(0.1) ? parts[0] : [...parts, null]);
  }

  const makers: readonly [share: number, make: () => { key: string; body: Buffer | string }][] = [
    [
      30,
      () => {
        const { key, parts } = valid();
        return { key, body: text(parts) };
      },
    ],
    [
      35,
      () => {
        const {
          key,
          parts: [http, security],
        } = valid();
        return {
          key,
          body: text(chance(0.7) ? [mutate(http), security] : [http, mutate(security)]),
        };
      },
    ],
    [
      10,
      () => ({
        key: 'probe',
        body: spoil(fixtures.length > 0 ? pick(fixtures) : text(valid().parts)),
      }),
    ],
    [10, () => ({ key: 'probe', body: bytes(below(2_000)) })],
    [
      10,
      () => {
        const { key, parts } = valid();
        const whole = text(parts);
        return { key, body: whole.slice(0, below(whole.length)) };
      },
    ],
    [2, () => ({ key: 'probe', body: '['.repeat(below(50_000)) })],
    [2, () => ({ key: 'probe', body: deep(below(20_000)) })],
    [
      1,
      () => {
        const {
          key,
          parts: [http, security],
        } = valid();
        return { key, body: text([{ ...http, body: 'A'.repeat(4 * below(100_000)) }, security]) };
      },
    ],
  ];
  const total = makers.reduce((sum, [share]) => sum + share, 0);

  function bytes(length: number): Buffer {
    const buffer = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i += 1) buffer[i] = below(256);
    return buffer;
  }

  /** A few bytes overwritten. */
  function spoil(whole: string): Buffer {
    const buffer = Buffer.from(whole);
    for (let count = below(6); count > 0; count -= 1) buffer[below(buffer.length)] = below(256);
    return buffer;
  }

  function deep(levels: number): string {
    const { parts } = valid();
    const nested = `${'['.repeat(levels)}${']'.repeat(levels)}`;
    return JSON.stringify([{ ...parts[0], remotePort: 'HERE' }, parts[1], null]).replace(
      '"HERE"',
      nested,
    );
  }

  function headers(): Record<string, unknown> {
    const right: Record<string, unknown> = {
      messageType: 'ProcessHttpRequest',
      replyToExchange: 'vcd.replyExchange',
      replyByTimestamp: { '!': 'int64', value: Date.now() + 10_000 },
    };
    if (chance(0.7)) return right;
    const wrong = mutate(right);
    // Replies are counted: where one may go to is ours, or nowhere that exists.
    if (chance(0.3))
      wrong['replyByTimestamp'] = pick([
        0,
        -5,
        Date.now() - 60_000,
        Date.now() + 400,
        3.2e12,
        'soon',
      ]);
    if (chance(0.2)) wrong['messageType'] = 'ProcessHttpResponse';
    if (chance(0.1)) wrong['x-vcx-canary'] = pick(JUNK);
    return wrong;
  }

  function properties(): Options.Publish {
    const all: Record<string, unknown> = { headers: headers(), replyTo, correlationId: id() };
    if (chance(0.05)) delete all['replyTo'];
    if (chance(0.05)) delete all['correlationId'];
    if (chance(0.02)) all['correlationId'] = '€'.repeat(85);
    if (chance(0.02)) delete all['headers'];
    if (chance(0.05)) all['contentType'] = 'text/\u0000';
    if (chance(0.05)) all['priority'] = 255;
    if (chance(0.05)) all['type'] = 'x'.repeat(255);
    if (chance(0.05)) all['contentEncoding'] = 'gzip';
    return all;
  }

  return () => {
    let roll = below(total);
    const [, make] = makers.find(([share]) => (roll -= share) < 0) ??
      makers[0] ?? [0, () => ({ key: 'probe', body: '' })];
    const { key, body } = make();
    return { routingKey: key, body: Buffer.from(body as string), properties: properties() };
  };
}

/** A small generator of good enough random numbers between 0 and 1 (Tommy Ettinger's mulberry32). */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
