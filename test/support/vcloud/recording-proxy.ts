/** An HTTP proxy in front of a cell that keeps every body which passes, in both directions. */
import { createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Passed {
  readonly method: string;
  readonly path: string;
  readonly requestType: string;
  readonly request: string;
  readonly status: number;
  readonly answerType: string;
  readonly answer: string;
}

export interface RecordingProxy extends AsyncDisposable {
  readonly url: string;
  readonly passed: readonly Passed[];
}

/** `target` is an origin on plain HTTP. */
export async function openRecordingProxy(target: string): Promise<RecordingProxy> {
  const passed: Passed[] = [];
  const server = createServer((incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming;
    void text(incoming).then((request) => {
      const onward = send(`${target}${url}`, { method, headers }, (answer) => {
        void text(answer).then((body) => {
          passed.push({
            method,
            path: url,
            requestType: headers['content-type'] ?? '',
            request: request.toString(),
            status: answer.statusCode ?? 0,
            answerType: answer.headers['content-type'] ?? '',
            answer: body.toString(),
          });
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          outgoing.end(body);
        });
      });
      onward.on('error', () => outgoing.destroy());
      onward.end(request);
    });
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    passed,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

async function text(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
