/**
 * Request, Response, Headers and FormData: undici's own class files.
 * `response.js` must load before `request.js`, which reads its converters.
 * May import: install.
 */
import { Response, getResponseState } from 'undici/lib/web/fetch/response.js';
import { Request, fromInnerRequest, makeRequest } from 'undici/lib/web/fetch/request.js';
import { FormData } from 'undici/lib/web/fetch/formdata.js';
import { Headers, HeadersList } from 'undici/lib/web/fetch/headers.js';
import { webidl } from 'undici/lib/web/webidl/index.js';
import { publish } from '../install.ts';

export { fromInnerRequest, getResponseState, Headers, HeadersList, makeRequest, Request, Response };
/** Whether a value is a Response of ours, whatever its prototype says. */
export const isResponse = (value: unknown): boolean => webidl.is.Response(value);

publish({ Request, Response, Headers, FormData });
