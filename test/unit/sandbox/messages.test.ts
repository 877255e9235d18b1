import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { readMessages, replyJson } from '../../../host/runner/messages.ts';

type Message = [kind: string, id: number, text: string];

function read(all: string): Message[] {
  const messages: Message[] = [];
  readMessages(all, (...message) => messages.push(message));
  return messages;
}

const pack = (messages: readonly Message[]): string =>
  messages.map(([kind, id, text]) => `${kind}\n${id}\n${text.length}\n${text}`).join('');

test('what a guest kept is read as it was said, whatever the texts hold', () => {
  const message = fc.tuple(
    fc.constantFrom('reply', 'settled', 'log'),
    fc.nat(),
    fc.string({ unit: fc.constantFrom('\n', '0', 'é', '\ud83d\ude00', 'x'), maxLength: 20 }),
  );
  fc.assert(
    fc.property(fc.array(message), (messages) => {
      expect(read(pack(messages))).toEqual(messages);
    }),
  );
});

test('a text out of form ends the reading and throws nothing', () => {
  const good: Message = ['reply', 1, 'ok'];
  for (const bad of ['reply', 'reply\n1', 'reply\n1\n5\nab', 'reply\nx\n1\na', 'reply\n1\n-3\nabc'])
    expect(read(pack([good]) + bad)).toEqual([good]);
  fc.assert(fc.property(fc.string(), (text) => void read(text)));
});

test('a reply whose body came as text is the JSON of one whose body came as bytes', () => {
  const head = '{"status":200,"headers":[["a","b"]]';
  const whole = `${head},"body":"AAEC"}`;
  expect(replyJson(whole)).toBe(whole);
  for (const text of ['', 'plain', 'a\nb\n', 'é\ud83d\ude00', '"}']) {
    const reply = JSON.parse(replyJson(`${head}\n${text}`)) as { status: number; body: string };
    expect(reply.status).toBe(200);
    expect(Buffer.from(reply.body, 'base64').toString()).toBe(text);
  }
});
