import { describe, expect, test } from 'vitest';

import { decodeEvent } from '../../../host/message/notification/decode.ts';
import type { CloudEvent } from '../../../host/message/notification/event.ts';
import {
  type EventFilter,
  bindingPatterns,
  createEventMatcher,
  typePatternProblem,
} from '../../../host/message/notification/patterns.ts';
import { EVENT, type TestEvent, eventMessage } from '../../support/pipeline/events.ts';

const filter = (changes: Partial<EventFilter>): EventFilter => ({
  types: ['vm.create'],
  success: 'both',
  ...changes,
});

function event(changes: Partial<TestEvent> = {}): CloudEvent {
  const decoded = decodeEvent(eventMessage('json', changes));
  if (!decoded.ok) throw new Error(decoded.why);
  return decoded.event;
}

/** What a topic exchange does, written from AMQP's own words. */
function topicMatches(pattern: string, key: string): boolean {
  const go = (p: readonly string[], k: readonly string[]): boolean => {
    const [first, ...rest] = p;
    if (first === undefined) return k.length === 0;
    if (first === '#') return go(rest, k) || (k.length > 0 && go(p, k.slice(1)));
    return k.length > 0 && (first === '*' || first === k[0]) && go(rest, k.slice(1));
  };
  return go(pattern.split('.'), key.split('.'));
}

test.each<[string, Partial<EventFilter>, string[]]>([
  ['a short type', {}, ['*.*.*.*.com.vmware.vcloud.event.vm.create.#']],
  [
    'a whole type',
    { types: ['com/vmware/vcloud/event/vm/create'] },
    ['*.*.*.*.com.vmware.vcloud.event.vm.create.#'],
  ],
  ['a whole type with dots', { types: ['com.example.done'] }, ['*.*.*.*.com.example.done.#']],
  ['a namespace of its own', { types: ['org/example/#'] }, ['*.*.*.*.org.example.#']],
  ['everything', { types: ['#'] }, ['*.*.*.*.#']],
  [
    'wildcards',
    { types: ['*.create', 'vm.#'] },
    ['*.*.*.*.com.vmware.vcloud.event.*.create.#', '*.*.*.*.com.vmware.vcloud.event.vm.#'],
  ],
  ['success only', { success: 'only', types: ['#'] }, ['true.*.*.*.#']],
  [
    'orgs by URN or id',
    { orgs: ['urn:vcloud:org:a', 'b', 'b'], types: ['#'] },
    ['*.*.a.*.#', '*.*.b.*.#'],
  ],
  ['no org', { orgs: [] }, []],
  ['an org that is a wildcard', { orgs: ['#', '*', 'a.b'] }, []],
  [
    'more orgs than bindings are wanted for',
    { orgs: Array.from({ length: 65 }, (_, i) => `o${i}`), types: ['#'] },
    ['*.*.*.*.#'],
  ],
  [
    'a type that no key could hold',
    { types: ['x'.repeat(100), 'a/'.repeat(100) + 'b'] },
    [`*.*.*.*.com.vmware.vcloud.event.${'x'.repeat(100)}.#`, `*.*.*.*.${'a.'.repeat(75)}#`],
  ],
  ['types that are none', { types: ['vm create', 'vm..create', '#.#', ''] }, []],
])('bindings of %s', (_name, changes, expected) => {
  const patterns = bindingPatterns(filter(changes));
  expect(patterns).toEqual(expected);
  for (const pattern of patterns) expect(pattern.length).toBeLessThanOrEqual(255);
});

describe('the exact check', () => {
  const task = { type: 'com/vmware/vcloud/event/task/complete', entity: 'urn:vcloud:task:1' };
  test.each<[string, Partial<EventFilter>, Partial<TestEvent>, boolean]>([
    ['its type', {}, {}, true],
    ['another type', {}, { type: 'com/vmware/vcloud/event/vm/delete' }, false],
    ['a longer type', {}, { type: 'com/vmware/vcloud/event/vm/create/x' }, false],
    ['a type in another namespace', {}, { type: 'org/vm/create' }, false],
    ['one segment for *', { types: ['vm.*'] }, {}, true],
    ['two segments for *', { types: ['vm.*'] }, { type: 'com/vmware/vcloud/event/vm/a/b' }, false],
    ['no segment for #', { types: ['vm.create.#'] }, {}, true],
    ['many segments for #', { types: ['com.#'] }, {}, true],
    ['# in the middle', { types: ['com/#/create'] }, {}, true],
    ['# in the middle with another end', { types: ['com/#/delete'] }, {}, false],
    ['parts that would overlap', { types: ['com/vmware/vcloud/event/vm/#/vm/create'] }, {}, false],
    ['a failure where success is wanted', { success: 'only' }, { operationSuccess: false }, false],
    ['a failure where both are', {}, { operationSuccess: false }, true],
    ['its org in another case', { orgs: [EVENT.org.toUpperCase().slice(15)] }, {}, true],
    ['another org', { orgs: ['urn:vcloud:org:x'] }, {}, false],
    ['no org at all', { orgs: [] }, {}, false],
    ['its entity type in another case', { entityTypes: ['vcloud:VM'] }, {}, true],
    ['another entity type', { entityTypes: ['vapp'] }, {}, false],
    ['a task', { types: ['task.*'], entityTypes: ['task'] }, { ...task, taskName: 'x' }, true],
    ['a pattern that is none', { types: ['vm create'] }, {}, false],
  ])('%s', (_name, changes, made, expected) => {
    expect(createEventMatcher(filter(changes))(event(made))).toBe(expected);
  });
});

test('whatever the check lets pass, a binding lets pass too', () => {
  const words = ['vm', 'task', 'blockingtask', 'create', '*', '#', 'com', 'x/y/z'];
  let state = 7;
  const random = (below: number) => (state = (state * 48_271) % 2_147_483_647) % below;
  const some = () =>
    Array.from({ length: 1 + random(3) }, () => words[random(words.length)]).join('.');
  let passed = 0;
  for (let i = 0; i < 5_000; i += 1) {
    const wanted = filter({
      types: [some(), some()],
      success: random(2) ? 'only' : 'both',
      ...(random(3) === 0 && { orgs: [EVENT.org, 'x'] }),
    });
    const made: Partial<TestEvent> = {
      type: random(3)
        ? `com/vmware/vcloud/event/${['vm', 'task'][random(2)]}/create`
        : 'x/y/z/create',
      operationSuccess: random(2) === 0,
      ...(random(2) && { taskName: 'vdcComposeVapp' }),
    };
    if (!createEventMatcher(wanted)(event(made))) continue;
    passed += 1;
    const { routingKey } = eventMessage('json', made);
    expect(
      bindingPatterns(wanted).some((pattern) => topicMatches(pattern, routingKey)),
      `${JSON.stringify(wanted)} for ${routingKey}`,
    ).toBe(true);
  }
  expect(passed).toBeGreaterThan(300);
});

test.each([
  ['vm.create', null],
  ['com/vmware/#', null],
  ['', /segments/],
  ['vm create', /segments/],
  ['vm.cre*', /segments/],
  ['vm.#.x.#', /at most once/],
  ['x'.repeat(256), /longer/],
])('the author of %j hears what is wrong with it', (pattern, problem) => {
  if (problem === null) expect(typePatternProblem(pattern)).toBeNull();
  else expect(typePatternProblem(pattern)).toMatch(problem);
});
