/**
 * `POST /plugins`: a bundle, alone or with its source map, read within caps and handed on.
 * May import: kernel and everything below operator.
 */
import type { Context } from 'hono';
import { z } from 'zod';

import { ARCHIVE_DEFAULTS } from '../../bundles/archive/zip.ts';
import type { PluginAdmin, Uploaded } from '../../bundles/change/admin.ts';
import { HostError } from '../../kernel/errors.ts';
import type { ApiEnv } from '../identify.ts';
import { readBody } from './body.ts';
import { createGate } from './gate.ts';
import { flagSchema, queryOf } from './input.ts';
import { readMultipart } from './multipart.ts';

const querySchema = z.strictObject({ force: flagSchema, approve: flagSchema });

/** Largest source map, bytes. */
export const SOURCE_MAP_BYTES = 33_554_432;
/** Boundaries and headers of a form. */
const FORM_BYTES = 8_192;

/** Uploads wait in memory: few at once. */
const UPLOADS = { each: 2, owners: 4 } as const;

const STATUS = { live: 201, waiting: 202, same: 200, disabled: 201 } as const satisfies Record<
  Uploaded['state'],
  number
>;

/** 201 live, 202 waiting for approval, 200 when it was there already. */
export function createUpload(admin: PluginAdmin): (c: Context<ApiEnv>) => Promise<Response> {
  const gate = createGate(UPLOADS);
  return async (c) => {
    const { caller } = c.var;
    const { force, approve } = queryOf(c, querySchema);
    if (approve && caller.role !== 'operator')
      throw new HostError('OPERATOR_FORBIDDEN', 'approve: only the operator approves');
    using _place = gate.enter(caller);
    const { bundle, sourceMap } = await readUpload(c);
    const uploaded = await admin.upload(bundle, { force, approve, sourceMap }, caller);
    return c.json(uploaded, STATUS[uploaded.state]);
  };
}

interface Upload {
  readonly bundle: Buffer;
  readonly sourceMap: Buffer | null;
}

async function readUpload(c: Context): Promise<Upload> {
  const type = c.req.header('content-type') ?? '';
  const { archiveBytes } = ARCHIVE_DEFAULTS;
  const isForm = /^multipart\/form-data\s*;/i.test(type);
  if (!isForm && !/^application\/octet-stream\s*(?:;|$)/i.test(type))
    throw new HostError(
      'OPERATOR_INPUT',
      'the Content-Type must be application/octet-stream, or multipart/form-data with the parts bundle and sourceMap',
    );
  const maxBytes = archiveBytes + (isForm ? SOURCE_MAP_BYTES + FORM_BYTES : 0);
  const body = await readBody(c.req.raw, { maxBytes, code: 'BUNDLE_TOO_LARGE' });
  const parts = isForm
    ? readMultipart(body, type, ['bundle', 'sourceMap'])
    : new Map([['bundle', body]]);
  const bundle = parts.get('bundle');
  const sourceMap = parts.get('sourceMap') ?? null;
  if (!bundle?.length) throw new HostError('OPERATOR_INPUT', 'body: there is no bundle in it');
  if (bundle.length > archiveBytes || (sourceMap?.length ?? 0) > SOURCE_MAP_BYTES)
    throw new HostError('BUNDLE_TOO_LARGE', `bundle or source map: over ${archiveBytes} bytes`);
  return { bundle, sourceMap };
}
