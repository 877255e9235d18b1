/** Reading XML that somebody else wrote: what is refused, and what comes out. */
import { describe, expect, test } from 'vitest';
import type { XmlCaps } from '../../../host/message/xml/tree.ts';
import { parseXml } from '../../../host/message/xml/tree.ts';

const refused = (source: string | Uint8Array, caps?: XmlCaps) =>
  expect(() => parseXml(source, caps)).toThrow(expect.objectContaining({ code: 'XML_INVALID' }));

describe('what is refused', () => {
  test.each([
    ['a DTD', '<!DOCTYPE a><a/>'],
    ['a DTD in small letters', '<!doctype a><a/>'],
    [
      'a DTD after white space and a comment',
      ' <!-- x --> <!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
    ],
    ['the billion laughs', '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><l>&b;</l>'],
    ['an entity declaration alone', '<!ENTITY a "b"><a/>'],
    ['a DTD inside CDATA', '<a><![CDATA[<!DOCTYPE a>]]></a>'],
    ['an entity that nobody declared', '<a>&nbsp;</a>'],
    ['such an entity in an attribute', '<a b="&x;"/>'],
    ['a bare ampersand', '<a>a & b</a>'],
    ['a bare ampersand in an attribute', '<a b="c&d"/>'],
    ['a reference to a forbidden character', '<a>&#0;</a>'],
    ['a reference beyond Unicode', '<a>&#x110000;</a>'],
    ['a reference to a surrogate', '<a>&#xD800;</a>'],
    ['a control character', '<a>\u0001</a>'],
    ['"<" in an attribute', '<a b="<"/>'],
    ['an attribute given twice', '<a b="1" b="2"/>'],
    ['an attribute without quotes', '<a b=c/>'],
    ['crossing elements', '<a><b></a></b>'],
    ['an element that is not closed', '<a><b></a>'],
    ['half a document', '<a><b'],
    ['two roots', '<a/><b/>'],
    ['text behind the root', '<a/>x'],
    ['a prefix that is not declared', '<v:a/>'],
    ['such a prefix on an attribute', '<a v:b="c"/>'],
    ['two colons', '<a:b:c xmlns:a="u"/>'],
    ['the end of a CDATA section in text', '<a>]]></a>'],
    ['two hyphens in a comment', '<a><!-- b -- c --></a>'],
    ['a declaration inside', '<a><?xml version="1.0"?></a>'],
    ['a declaration of nothing', '<?xml?><a/>'],
    ['nothing', ''],
    ['white space', ' \n '],
    ['no XML', 'hello'],
    ['JSON', '{"a":1}'],
    ['a name that would reach into prototypes', '<__proto__/>'],
  ])('%s', (_, source) => refused(source));

  test('bytes that are not UTF-8', () => refused(Buffer.from([0x3c, 0x61, 0xff, 0x2f, 0x3e])));

  test('documents over the caps on bytes, depth and elements', () => {
    refused(`<a>${'x'.repeat(2_000)}</a>`, { bytes: 1_000 });
    refused(`<a>${'\u20ac'.repeat(400)}</a>`, { bytes: 1_000 });
    refused('<a>'.repeat(20) + '</a>'.repeat(20), { depth: 19 });
    expect(parseXml('<a>'.repeat(19) + '</a>'.repeat(19), { depth: 19 }).name).toBe('a');
    refused('<a>'.repeat(100_000) + '</a>'.repeat(100_000));
    refused(`<a>${'<b/>'.repeat(3_000)}</a>`, { elements: 1_000 });
    refused('<'.repeat(1_000_000));
  });
});

describe('what comes out', () => {
  test('prefixes mean their namespaces, wherever and however they are declared', () => {
    const source = (a: string, b: string) =>
      `<${a}:s xmlns:${a}="urn:one" xmlns="urn:two"><t ${a}:x="1" y="2"/><${b}:t xmlns:${b}="urn:one"/></${a}:s>`;
    for (const [a, b] of [
      ['p', 'q'],
      ['q', 'p'],
      ['x', 'x'],
    ] as const) {
      const root = parseXml(source(a, b));
      expect(root).toMatchObject({ namespace: 'urn:one', name: 's' });
      expect(root.children.map(({ namespace }) => namespace)).toEqual(['urn:two', 'urn:one']);
      expect([...(root.children[0]?.attributes ?? [])]).toEqual([
        ['{urn:one}x', '1'],
        ['y', '2'],
      ]);
    }
  });

  test('a prefix can mean something else further in, and the default can be taken back', () => {
    const root = parseXml('<a xmlns="u" xmlns:p="v"><p:b xmlns:p="w"/><c xmlns=""/><p:d/></a>');
    expect(root.children.map(({ namespace }) => namespace)).toEqual(['w', '', 'v']);
  });

  test('text is kept as it is: no numbers, no trimming, entities decoded once, CDATA taken literally', () => {
    const root = parseXml(
      '<a b=" 007 &#10;&amp;lt;">0x10<!-- c --> 1e5 <![CDATA[&lt;b&gt;]]>&lt;&#x41;&#66;&amp;amp;</a>',
    );
    expect(root.attributes.get('b')).toBe(' 007 \n&lt;');
    expect(root.text).toBe('0x10 1e5 &lt;b&gt;<AB&amp;');
  });

  test('a declaration, processing instructions, a byte order mark and comments around the root are no trouble', () => {
    const source =
      '<?xml version="1.0" encoding="UTF-8"?><!-- a --><a><?target data?></a><!-- b -->';
    expect(parseXml(`\uFEFF${source}`).name).toBe('a');
    expect(parseXml(Buffer.from(`\uFEFF${source}`)).name).toBe('a');
    expect(parseXml(Buffer.from(`\uFEFF \n${source}`)).name).toBe('a');
  });

  test('line ends are one character, in whatever form they came', () => {
    expect(parseXml('<a>1\r\n2\r3\n4<![CDATA[\r\n]]>&#13;</a>').text).toBe('1\n2\n3\n4\n\r');
  });

  test('an attribute named like a member of every object is an ordinary one', () => {
    const { attributes } = parseXml('<a __proto__="1" constructor="2"/>');
    expect([...attributes]).toEqual([
      ['__proto__', '1'],
      ['constructor', '2'],
    ]);
  });

  test('line ends and tabs in attributes become spaces, references to them stay', () => {
    expect(parseXml('<a b="1\n2\t3&#9;4"/>').attributes.get('b')).toBe('1 2 3\t4');
  });
});

test('hostile input of megabytes is answered in linear time', () => {
  const started = performance.now();
  const long = (unit: string) => unit.repeat(400_000 / unit.length);
  const inAttribute = ['<a ', ' ', '&amp;', "'", '=', '<!---->'].map(
    (unit) => `<a b="${long(unit)}`,
  );
  const inText = ['\r', '&amp;', ']', '\u{1F600}', '<b/>', '<!---->'].map(
    (unit) => `<a>${long(unit)}</a>`,
  );
  for (const source of [...inAttribute, ...inText])
    try {
      parseXml(source);
    } catch {
      // refused, which is the point for most
    }
  // A quadratic step would take minutes.
  expect(performance.now() - started).toBeLessThan(20_000);
});
