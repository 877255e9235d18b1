/**
 * vCloud's Error document, in XML or JSON as the caller accepts: what the corridor answers every refusal with.
 * May import: message.
 */
import { encodeXml } from './xml/documents.ts';
import { legalize } from './xml/text.ts';

export interface VcloudErrorFields {
  /** HTTP status; goes out as `majorErrorCode`. */
  readonly status: number;
  /** Stable code; goes out as `minorErrorCode`. */
  readonly code: string;
  /** For people; never holds paths, stacks or credentials. */
  readonly message: string;
}

export interface EncodedError {
  readonly contentType: string;
  readonly body: string;
}

const STEM = 'application/vnd.vmware.vcloud.error';

/** Encode an error in the form that the `Accept` header asks for; XML, as vCloud itself does, when it is open. Never throws. */
export function encodeError(
  { status, code, message }: VcloudErrorFields,
  accept?: string | null,
): EncodedError {
  const { json, type } = chooseErrorType(accept);
  const text = legalize(message);
  const body = json
    ? JSON.stringify({
        otherAttributes: {},
        tenantError: null,
        stackTrace: null,
        message: text,
        majorErrorCode: status,
        minorErrorCode: code,
        vendorSpecificErrorCode: null,
      })
    : encodeXml('Error', {
        message: text,
        majorErrorCode: Math.trunc(status),
        minorErrorCode: legalize(code),
      });
  return { contentType: type, body };
}

interface Range {
  readonly media: string;
  readonly version: string;
  readonly quality: number;
}

/** First by quality, then by place; what names neither form leaves the choice open. */
function chooseErrorType(accept?: string | null): { json: boolean; type: string } {
  const ranges = (accept ?? '').slice(0, 2_000).split(',').map(readRange);
  let best: Range | undefined;
  for (const range of ranges)
    if (isKnown(range.media) && range.quality > (best?.quality ?? 0)) best = range;
  const json = best !== undefined && best.media.endsWith('json');
  const plain = best && /^(?:application|text)\/(?:json|xml)$/.test(best.media);
  const type = plain ? best?.media : `${STEM}+${json ? 'json' : 'xml'}`;
  return { json, type: `${type}${best?.version ? `;version=${best.version}` : ''}` };
}

function readRange(text: string): Range {
  const [media = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const value = (name: string) =>
    parameters.find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
  const quality = Number(value('q') || '1');
  return {
    media,
    // Echoed into a header, so nothing but the form of a version passes.
    version: /^\d{1,3}(?:\.\d{1,3}){1,2}(?:-[a-z0-9]{1,10})?$/.test(value('version'))
      ? value('version')
      : '',
    quality: Number.isFinite(quality) ? quality : 0,
  };
}

/** Media types that the error can be sent for; XHTML of browsers is not one. */
function isKnown(media: string): boolean {
  return /^(?:\*\/\*|application\/\*|application\/(?:\*|vnd\.vmware\.[\w.-]{1,80})\+(?:json|xml)|(?:application|text)\/(?:json|xml))$/.test(
    media,
  );
}
