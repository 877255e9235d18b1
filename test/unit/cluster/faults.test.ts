import { expect, test } from 'vitest';

import { clusterError, connectError } from '../../../host/cluster/link/faults.ts';

/** As the client throws it when nobody listens on a subject of JetStream. */
function unanswered(): Error {
  const error = new Error('jetstream is not enabled');
  error.name = 'JetStreamNotEnabled';
  return error;
}

test('silence about JetStream means that there is none only while the link is opened', () => {
  expect(connectError(unanswered(), 'nats').code).toBe('CLUSTER_JETSTREAM_DISABLED');
  const later = clusterError(unanswered(), 'bucket kv');
  expect(later.code).toBe('CLUSTER_UNAVAILABLE');
  expect(later.message).toMatch(/a server is being replaced, JetStream is off/);
});

test('anything else at the start is what it is later', () => {
  expect(connectError(new Error('socket hang up'), 'nats').code).toBe('CLUSTER_UNAVAILABLE');
});
