/** What hostile guests answer, seen from the far end of the real corridor: nothing forbidden gets through. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GuestBundle } from '../../host/sandbox/sandbox.ts';
import { testCorridor } from '../support/pipeline/corridor.ts';
import { bundleGuest, openHostileKit, type HostileKit } from '../support/hostile/kit.ts';
import { delivery } from '../support/pipeline/messages.ts';

let kit: HostileKit;
beforeAll(async () => {
  kit = await openHostileKit();
});
afterAll(() => kit[Symbol.asyncDispose]());

interface Seen {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** One message through the corridor with this guest behind it; the reply that is published. */
async function answerOf(name: string, call: string, accept = '*/*'): Promise<Seen> {
  const bundle: GuestBundle = await bundleGuest({ name, call });
  const room = testCorridor((invocation) => kit.sandbox.invoke({ ...invocation, bundle }));
  const headers = {
    Accept: accept,
    Host: 'vcloud.example.com',
    Authorization: 'Bearer secret-1',
    Cookie: 'vcloud-token=secret-2',
    'x-vcloud-authorization': 'secret-3',
    'X-VMWARE-VCLOUD-ACCESS-TOKEN': 'secret-4',
  };
  const message = delivery({ http: { queryString: 'do=evil', headers } });
  room.corridor.accept(message);
  await room.idle();
  expect(room.sent).toHaveLength(1);
  expect(message.settled).toEqual(['ack']);
  const [sent] = room.sent;
  if (!sent) throw new Error('nothing was published');
  expect(Buffer.from(sent.body).toString()).not.toContain('secret-');
  const { statusCode, headers: out, body } = sent.reply;
  return { status: statusCode, headers: out, body: Buffer.from(body, 'base64').toString() };
}

test('forbidden headers of a reply do not leave the host, the others do', async () => {
  const forbidden = [
    'set-cookie',
    'authorization',
    'www-authenticate',
    'access-control-allow-origin',
    'access-control-allow-credentials',
    'transfer-encoding',
    'connection',
    'content-length',
    'upgrade',
    'strict-transport-security',
    'content-security-policy',
    'clear-site-data',
    'service-worker-allowed',
    'x-vcloud-authorization',
    'x-vmware-vcloud-access-token',
    'x-content-type-options',
  ];
  const { status, headers } = await answerOf(
    'forbidden headers',
    `const r = new Response("ok", { headers: { "x-mine": "1" } });
     for (const name of ${JSON.stringify(forbidden)}) r.headers.append(name, "evil");
     return r;`,
  );
  expect(status).toBe(200);
  expect(Object.values(headers)).not.toContain('evil');
  const names = Object.keys(headers).map((name) => name.toLowerCase());
  expect(names.filter((name) => forbidden.includes(name))).toEqual([
    'x-content-type-options',
    'content-security-policy',
  ]);
  expect(headers).toMatchObject({ 'x-mine': '1', 'X-Content-Type-Options': 'nosniff' });
});

/** Guests whose reply must come out as this code. */
const REFUSED: readonly (readonly [string, string, string])[] = [
  [
    'HTML',
    'return new Response("<script>", { headers: { "content-type": "text/html" } });',
    'RESPONSE_INVALID',
  ],
  [
    'SVG',
    'return new Response("<svg/>", { headers: { "content-type": " IMAGE/SVG+xml;x" } });',
    'RESPONSE_INVALID',
  ],
  [
    'a script',
    'return new Response("1", { headers: { "content-type": "application/javascript" } });',
    'RESPONSE_INVALID',
  ],
  [
    'a long header',
    'return new Response("1", { headers: { "x-long": "y".repeat(9000) } });',
    'RESPONSE_INVALID',
  ],
  [
    'a hundred and fifty headers',
    'const r = new Response("1"); for (let i = 0; i < 150; i++) r.headers.set("x-" + i, "1"); return r;',
    'RESPONSE_INVALID',
  ],
  [
    'a body over the limit of its route',
    'return new Response("x".repeat(5000));',
    'RESPONSE_TOO_LARGE',
  ],
  ['no response', 'return { status: 200 };', 'RESPONSE_INVALID'],
  ['a loop', 'for (;;);', 'CPU_EXCEEDED'],
];

test.for(REFUSED)(
  'a reply with %s is answered as an error of vCloud',
  async ([name, call, code]) => {
    const { status, headers, body } = await answerOf(name, call, 'application/*+json');
    expect(JSON.parse(body)).toMatchObject({ minorErrorCode: code, majorErrorCode: status });
    expect(status).toBeGreaterThanOrEqual(500);
    expect(headers['Content-Type']).toContain('json');
  },
);

test('a guest sees no credential of its caller', async () => {
  const { body } = await answerOf(
    'credentials',
    'return Response.json([[...request.headers].map(([name]) => name), ctx.caller.org !== ""]);',
  );
  expect(JSON.parse(body)).toEqual([['accept', 'host'], true]);
});

test('markup and control characters in an error of a guest stay text', async () => {
  const call =
    'throw new Error(String.fromCharCode(0, 8, 27, 0xD800) + "]]></Error><x a=\'1\'>&amp;");';
  const { headers, body } = await answerOf('markup', call, 'application/*+xml');
  expect(headers['Content-Type']).toContain('xml');
  expect(body).not.toMatch(/<x|<\/Error>.|[\0-\x08\x1B\uD800]/s);
  expect(body).toContain('PLUGIN_THREW');
});

test('a forged binding is refused by the host, whatever the guest calls it', async () => {
  const call = `const Binding = env.kv?.constructor ?? (class {}); const names = ["vcloud", "secrets", "vcx:", "__proto__", "constructor", "kv"];
    const codes = [];
    for (const name of names) try { await new Binding(name, { over: false }).call("get", ["x"]); codes.push("served"); } catch (e) { codes.push(e.code ?? String(e)); }
    return Response.json(codes);`;
  const { body } = await answerOf('forged bindings', call);
  expect(new Set(JSON.parse(body) as string[])).toEqual(new Set(['BINDING_DENIED']));
});
