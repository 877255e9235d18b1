/** What goes over the wire: JSON, or XML in vCloud's manner when `Accept` asks for it. */
import type { Backup } from './store.ts';

const NAMESPACE = 'http://www.example.com/vcd-backup/v1.0';
const TYPE = 'application/vnd.example.vcd-backup';

export interface BackupParams {
  readonly name: string;
  readonly description: string;
}

/** Null when the body is neither. An empty body takes the defaults. */
export async function readParams(request: Request): Promise<BackupParams | null> {
  const text = (await request.text()).trim();
  if (text === '') return { name: 'backup', description: '' };
  if (text.startsWith('<')) return fromXml(text);
  try {
    const value = JSON.parse(text) as { name?: unknown; description?: unknown } | null;
    if (typeof value !== 'object' || value === null) return null;
    return { name: textOr(value.name, 'backup'), description: textOr(value.description, '') };
  } catch {
    return null;
  }
}

export function present(request: Request, status: number, backup: Backup): Response {
  const headers = new Headers();
  if (status === 201) headers.set('Location', hrefOf(backup));
  return wantsXml(request)
    ? xml(status, 'backup', toXml(backup, ` xmlns="${NAMESPACE}"`), headers)
    : json(status, 'backup', toJson(backup), headers);
}

export function presentList(request: Request, backups: readonly Backup[]): Response {
  return wantsXml(request)
    ? xml(
        200,
        'backupList',
        `<BackupList xmlns="${NAMESPACE}">${backups.map((b) => toXml(b)).join('')}</BackupList>`,
      )
    : json(200, 'backupList', { backups: backups.map(toJson) });
}

/** An error in the form vCloud itself uses. */
export function problem(
  request: Request,
  status: number,
  minorErrorCode: string,
  message: string,
): Response {
  if (!wantsXml(request))
    return Response.json({ message, majorErrorCode: status, minorErrorCode }, { status });
  const body =
    `<Error xmlns="http://www.vmware.com/vcloud/v1.5" message="${escape(message)}"` +
    ` majorErrorCode="${status}" minorErrorCode="${minorErrorCode}"/>`;
  return new Response(body, {
    status,
    headers: { 'Content-Type': 'application/vnd.vmware.vcloud.error+xml' },
  });
}

/** XML is vCloud's own default; JSON must be asked for. */
function wantsXml(request: Request): boolean {
  const accept = request.headers.get('Accept') ?? '';
  return !/[/+]json\b/i.test(accept) && /[/+]xml\b/i.test(accept);
}

function toJson(backup: Backup) {
  return { ...backup, href: hrefOf(backup) };
}

function toXml(backup: Backup, attributes = ''): string {
  return (
    `<Backup${attributes} id="${escape(backup.id)}" name="${escape(backup.name)}"` +
    ` href="${escape(hrefOf(backup))}" type="${TYPE}.backup+xml">` +
    `<Description>${escape(backup.description)}</Description>` +
    `<Target kind="${backup.kind}" id="${escape(backup.target)}"/>` +
    `<Owner>${escape(backup.owner)}</Owner>` +
    `<CreatedAt>${escape(backup.createdAt)}</CreatedAt></Backup>`
  );
}

function hrefOf(backup: Backup): string {
  return `/api/backup/${backup.id}`;
}

function json(status: number, kind: string, value: unknown, headers = new Headers()): Response {
  headers.set('Content-Type', `${TYPE}.${kind}+json`);
  return new Response(JSON.stringify(value), { status, headers });
}

function xml(status: number, kind: string, body: string, headers = new Headers()): Response {
  headers.set('Content-Type', `${TYPE}.${kind}+xml`);
  return new Response(`<?xml version="1.0" encoding="UTF-8"?>\n${body}`, { status, headers });
}

/** Reads just the two things it knows: the root's `name` attribute and `<Description>`. */
function fromXml(text: string): BackupParams | null {
  const root = /^(?:<\?xml[^>]*\?>\s*)?<([\w:.-]+)([^<>]*)>/.exec(text);
  if (!root) return null;
  const name = /\sname="([^"<]*)"/.exec(root[2] ?? '')?.[1];
  const description = /<(?:[\w.-]+:)?Description>([^<]*)</.exec(text)?.[1];
  return {
    name: textOr(name && unescape(name), 'backup'),
    description: textOr(description && unescape(description), ''),
  };
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' && value !== '' ? value.slice(0, 256) : otherwise;
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

function unescape(text: string): string {
  for (const [character, entity] of Object.entries(ENTITIES).toReversed())
    text = text.replaceAll(entity, character);
  return text;
}
