/**
 * How long the certificates of vCloud and the broker are still valid.
 * May import: everything.
 */
import { connect } from 'node:tls';

import { messageOf } from '../../kernel/errors.ts';
import { failed, ok, warning, type Finding } from './checkup.ts';

const DAY_MS = 86_400_000;
const WARN_DAYS = 30;
const TIMEOUT_MS = 5_000;

/** `null` for an address without TLS. */
export async function examineCertificate(check: string, address: string): Promise<Finding | null> {
  const url = URL.parse(address);
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'amqps:')) return null;
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 5671));
  try {
    const until = await validUntil(url.hostname.replace(/^\[|\]$/g, ''), port);
    return judge(check, until, Date.now());
  } catch (error) {
    return failed(
      check,
      `${url.host}: ${messageOf(error)}`,
      `see that ${url.hostname}:${port} can be reached and speaks TLS`,
    );
  }
}

/** What a date of expiry means today. */
export function judge(check: string, until: Date, now: number): Finding {
  const days = Math.floor((until.getTime() - now) / DAY_MS);
  const date = until.toISOString().slice(0, 10);
  const renew = 'have the certificate renewed on that server, then run `vcx doctor` again';
  if (days < 0) return failed(check, `the certificate expired on ${date}`, renew);
  if (days < WARN_DAYS)
    return warning(check, `the certificate expires in ${days} days, on ${date}`, renew);
  return ok(check, `the certificate is valid until ${date}`);
}

/** Looks only: no credential is sent, so whom it was issued by does not matter here. */
async function validUntil(host: string, port: number): Promise<Date> {
  const { promise, resolve, reject } = Promise.withResolvers<Date>();
  const servername = /^[\d.:]+$/.test(host) ? {} : { servername: host };
  const socket = connect({ host, port, rejectUnauthorized: false, ...servername });
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
  socket.once('error', reject);
  socket.once('secureConnect', () => resolve(new Date(socket.getPeerCertificate().valid_to)));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
