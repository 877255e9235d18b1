/**
 * What to type, or whom to ask, after a command was refused with a code.
 * May import: kernel.
 */
import type { Code } from '../../kernel/errors.ts';
import { commandName } from './sdk.ts';

const STEPS: Partial<Record<Code, string>> = {
  OPERATOR_UNAVAILABLE: 'start the host, or say where it is: --operator URL or VCX_OPERATOR_URL',
  OPERATOR_UNAUTHENTICATED:
    'give a token that counts: --token-file FILE or VCX_OPERATOR_TOKEN; the operator makes one with `$vcx plugin token create`',
  OPERATOR_RATE_EXCEEDED: 'wait a few seconds, and correct the token',
  OPERATOR_FORBIDDEN: 'ask the operator to do it',
  OPERATOR_ADDRESS_REFUSED: 'let the operator add the name to `operator.hosts` in vcx.yaml',
  OPERATOR_BUSY: 'let an upload or a followed log end first',
  CLUSTER_UNAVAILABLE: 'see that NATS runs and can be reached, then type it again',
  TOKEN_NAME_TAKEN: '`$vcx plugin token list` shows the names that are taken',
  PLUGIN_UNKNOWN:
    '`$vcx plugin list` shows what is installed, `$vcx plugin show NAME` the versions',
  PLUGIN_CHANGED: '`$vcx plugin show NAME`, then try again',
  BUNDLE_UNSIGNED:
    '`$vcx plugin deploy … --key KEY.pem` signs it; `$vcx plugin keygen` makes a key',
  BUNDLE_KEY_UNKNOWN: 'ask the operator to add your key to the trust store',
  BUNDLE_KEY_EXPIRED: 'make a new key with `$vcx plugin keygen`, and sign again',
  BUNDLE_KEY_REVOKED: 'make a new key with `$vcx plugin keygen`, and sign again',
  BUNDLE_SIGNATURE_INVALID: 'pack and sign again',
  BUNDLE_ARCHIVE: 'make the bundle with `$vcx plugin pack`',
  BUNDLE_VERSION_TAKEN: 'raise `version` in plugin.json',
  BUNDLE_DOWNGRADE: '--force takes it all the same; `$vcx plugin rollback` goes back',
  BUNDLE_NAME_TAKEN:
    'choose another `name`, namespace or path in plugin.json; what holds it goes with `$vcx plugin remove NAME --yes`',
  TENANT_INVALID: '`$vcx plugin tenants NAME` shows who has it, `--only ID…` says who shall',
  BUNDLE_UNHEALTHY: '`$vcx plugin test` runs it here; the running version was not touched',
  BUNDLE_OWNER_FOREIGN: 'use a token of the owner, or ask the operator',
  TENANT_CONFIG_INVALID:
    'correct what the message names; `config.schema` in plugin.json says what fits',
};

/** One line, or null when the message says it all. */
export function nextStep(code: Code): string | null {
  return STEPS[code]?.replaceAll('$vcx', commandName()) ?? null;
}
