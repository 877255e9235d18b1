/** The quick way through plain XML: whatever it takes, it reads as the full parser does. */
import { expect, test } from 'vitest';

import { readPlainXml } from '../../host/message/xml/plain.ts';
import { parseFully, type XmlNode } from '../../host/message/xml/tree.ts';
import { eventMessage } from '../support/events.ts';

const DEPTH = 8;
const event = eventMessage('xml', { task: 'urn:vcloud:task:1', taskName: 'x' }).body.toString();

const SAMPLES = [
  event,
  '<a/>',
  ' \n<a b="1" c=" x  y "/>\n ',
  '<a>  text <b/> and\n more </a>',
  '<p:a xmlns:p="u" p:x="1" x="2"><b xmlns="v"><c/><d xmlns=""/></b></p:a>',
  '<a xml:lang="en" xmlns="u"><b >x</b ></a>',
  "<a b='single'/>",
  '<a b="tab\there"/>',
  '<a>&amp;&#65;</a>',
  '<a>x > y</a>',
  '<a>]]></a>',
  '<a><![CDATA[x]]><!-- c --><?pi x?></a>',
  '<a>\r\n</a>',
  '<äö/>',
  '<constructor/>',
  '<a><b><c><d><e><f><g><h/></g></f></e></d></c></b></a>',
];

function full(text: string): XmlNode | null {
  try {
    return parseFully(text, DEPTH);
  } catch {
    return null;
  }
}

/** The same sequence at every run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % below;
  };
}

test('what is plain is read at once, all else is left alone', () => {
  expect(readPlainXml(event, DEPTH)).toEqual(full(event));
  expect(readPlainXml(event, DEPTH)?.name).toBe('Notification');
  const left = SAMPLES.filter((text) => readPlainXml(text, DEPTH) === null);
  expect(left).toEqual(SAMPLES.slice(6, 15));
});

test('whatever it takes, changed at random as well, the full parser reads in the same way', () => {
  const pick = random(7);
  const pieces = [
    '<',
    '>',
    '/',
    '"',
    ' ',
    '=',
    ':',
    'a',
    '<b>',
    '</b>',
    'xmlns:p="u"',
    'p:',
    '\n',
    'x="1" ',
    '-->',
  ];
  let taken = 0;
  for (let round = 0; round < 20_000; round += 1) {
    let text = SAMPLES[pick(SAMPLES.length)] ?? '';
    for (let changes = 1 + pick(3); changes > 0; changes -= 1) {
      const at = pick(text.length + 1);
      const piece = pieces[pick(pieces.length)] ?? '';
      text = text.slice(0, at) + piece + text.slice(at + pick(4));
    }
    const plain = readPlainXml(text, DEPTH);
    if (!plain) continue;
    taken += 1;
    expect(plain, text).toEqual(full(text));
  }
  expect(taken).toBeGreaterThan(500);
});
