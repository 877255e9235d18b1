/**
 * structuredClone, without transfer.
 * May import: install, platform/errors.
 */
import { deserialize, serialize } from '@ungap/structured-clone';
import { publish } from '../install.ts';
import { DOMException } from './errors.ts';

function structuredClone(value: unknown, options?: { transfer?: readonly unknown[] }): unknown {
  if (options?.transfer?.length)
    throw new DOMException('Nothing can be transferred here', 'DataCloneError');
  try {
    return deserialize(serialize(value));
  } catch (cause) {
    throw new DOMException(describe(cause), { name: 'DataCloneError', cause });
  }
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.message : 'The value can not be cloned';
}

publish({ structuredClone });
