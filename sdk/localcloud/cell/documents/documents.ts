/**
 * Documents on HTTP: reads and checks a request's, answers with one in the form the client accepts.
 * May import: accept, element, fault, json, query, represent, validate, xml; hono.
 */
import type { Context } from 'hono';

import { type Form, readAccept } from './accept.ts';
import type { Element, NAMESPACES } from './element.ts';
import { VcloudFault, faultElement } from './fault.ts';
import { JsonFault, fromJson, toJson } from './json.ts';
import { queryToJson } from '../queries/query.ts';
import type { View } from './represent.ts';
import { validate } from './validate.ts';
import { XmlFault, readXml, writeXml } from './xml.ts';

export interface Root {
  readonly ns: keyof typeof NAMESPACES;
  readonly name: string;
  /** Name in the schema table. */
  readonly type: string;
}

/** What a document needs to know of the request. */
export const viewOf = (c: Context, base: string): View => ({
  base,
  format: readAccept(c.req.header('accept')).format,
});

function parse(text: string, json: boolean, root: Root): Element {
  try {
    return json ? fromJson(JSON.parse(text), root.type, root) : readXml(text);
  } catch (error) {
    if (error instanceof XmlFault || error instanceof JsonFault || error instanceof SyntaxError)
      throw new VcloudFault(400, `Bad request: ${error.message}`);
    throw error;
  }
}

/** Read a document by the request's Content-Type: 400 with the element's name unless it fits the schema. */
export async function readDocument(c: Context, root: Root): Promise<Element> {
  const media = (c.req.header('content-type') ?? '').toLowerCase();
  const json = media.includes('json');
  if (media !== '' && !json && !media.includes('xml'))
    throw new VcloudFault(415, `The content type '${media}' is neither XML nor JSON`);
  const found = parse(await c.req.text(), json, root);
  if (found.name !== root.name || found.ns !== root.ns)
    throw new VcloudFault(400, `Bad request: element '${found.name}' is not '${root.name}'`);
  const wrong = validate(found, root.type);
  if (wrong !== undefined) throw new VcloudFault(400, `Bad request: ${wrong}`);
  return found;
}

/** 415 when the request's document says of itself that it is one of vCloud's other documents. */
export function requireMedia(c: Context, media: string): void {
  const given = (c.req.header('content-type') ?? '')
    .toLowerCase()
    .replace(/[+;].*$/s, '')
    .trim();
  if (given.startsWith('application/vnd.') && given !== media.toLowerCase())
    throw new VcloudFault(415, `The content type '${given}' is not '${media}'`);
}

export interface Answer {
  readonly document: Element;
  /** Name in the schema table; `query` for query results. */
  readonly type: string;
  /** Media type without `+xml` or `+json`. */
  readonly media: string;
  readonly status?: 200 | 201 | 202;
}

function body(form: Form, document: Element, type: string): string {
  if (form.format === 'xml') return writeXml(document);
  return JSON.stringify(type === 'query' ? queryToJson(document) : toJson(document, type));
}

/** Send a document as XML or JSON; a made object has its address in `Location`. */
export function sendDocument(c: Context, answer: Answer): Response {
  const form = readAccept(c.req.header('accept'));
  const status = answer.status ?? 200;
  const href = answer.document.attributes['href'];
  if (status === 201 && href !== undefined) c.header('Location', href);
  c.header('Content-Type', `${answer.media}+${form.format};version=${form.version}`);
  return c.body(body(form, answer.document, answer.type), status);
}

/** Send an error in the form the client accepts. */
export function sendFault(c: Context, fault: VcloudFault): Response {
  const form = readAccept(c.req.header('accept'));
  const media = `application/vnd.vmware.vcloud.error+${form.format};version=${form.version}`;
  c.header('Content-Type', media);
  return c.body(body(form, faultElement(fault), 'Error'), fault.status);
}
