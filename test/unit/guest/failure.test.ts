import { expect, test } from 'vitest';

import { readFailure } from '../../../host/sandbox/calls/guest-failure.ts';

const failure = (fields: object) => readFailure(JSON.stringify(fields));

test('the reason becomes a code, and the stack is left with frames of the plug-in alone', () => {
  const stack = 'Error: x\n    at f (plugin:main.js:3:4)\n    at Gb (vcx:prelude:17:3)';
  expect(failure({ reason: 'threw', message: 'Error: x', stack })).toEqual({
    code: 'PLUGIN_THREW',
    message: 'Error: x',
    stack: 'Error: x\n    at f (plugin:main.js:3:4)',
  });
  expect(failure({ reason: 'tooLarge', message: '', stack: '' }).code).toBe('RESPONSE_TOO_LARGE');
  expect(failure({ reason: 'invalid', message: '', stack: '' }).code).toBe('RESPONSE_INVALID');
});

test('whatever a guest says, it is bounded text', () => {
  const long = failure({ reason: 'threw', message: 'm'.repeat(9_999), stack: 's'.repeat(9_999) });
  expect([long.message.length, long.stack.length]).toEqual([500, 2_048]);
  for (const text of ['', 'null', '[]', '{"reason":"toString"}', '{"message":{},"stack":1}'])
    expect(readFailure(text)).toMatchObject({ code: 'PLUGIN_THREW', stack: '' });
});
