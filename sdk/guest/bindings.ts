/**
 * The guest's halves of the bindings: what appears on `env`. A new binding is one class and one line in `HALVES`.
 * May import: calls, fetch, hostcall, install, platform, primordials.
 */
import { type Call, currentCall } from './calls.ts';
import { fetchThrough } from './fetch.ts';
import { BindingError, hostCall } from './hostcall.ts';
import { publish } from './install.ts';
import { Response as GuestResponse } from './platform/fetch.ts';
import { stringify } from './primordials.ts';

/** The call that a host call belongs to; null for the one that is at work. */
export type CallScope = Call | null;

/** `env` of a call that is over asks for nothing: its authority ended with it. */
export class Binding {
  readonly #name: string;
  readonly #scope: CallScope;
  constructor(name: string, scope: CallScope) {
    this.#name = name;
    this.#scope = scope;
  }
  /** Call any method of the host's half; the typed methods are thin covers of it. */
  async call(method: string, args: readonly unknown[] = []): Promise<unknown> {
    const call = this.#scope ?? currentCall();
    if (call.over) throw new BindingError('CALL_OVER', 'The call this env belongs to is over');
    return hostCall(this.#name, method, args, call);
  }
}

class KvNamespace extends Binding {
  async get(key: unknown): Promise<unknown> {
    return (await this.call('get', [key])) ?? null;
  }
  getWithVersion(key: unknown): Promise<unknown> {
    return this.call('getWithVersion', [key]);
  }
  put(key: unknown, value: unknown, options: unknown = {}): Promise<unknown> {
    return this.call('put', [key, value, options]);
  }
  delete(key: unknown): Promise<unknown> {
    return this.call('delete', [key]);
  }
  list(options: unknown = {}): Promise<unknown> {
    return this.call('list', [options]);
  }
}

class FetchBinding extends Binding {
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    return fetchThrough(this, input, init);
  }
}

/** The global `fetch` of a plug-in that was granted it; works while a call is under way. */
export function publishFetch(): void {
  const binding = new FetchBinding('fetch', null);
  publish({ fetch: (input: RequestInfo | URL, init?: RequestInit) => binding.fetch(input, init) });
}

class Secrets extends Binding {
  async get(name: unknown): Promise<unknown> {
    return (await this.call('get', [name])) ?? null;
  }
}

interface VcloudRequest {
  readonly body?: unknown;
  readonly type?: unknown;
  readonly accept?: unknown;
}

class Vcloud extends Binding {
  async request(
    method: unknown,
    path: unknown,
    options: VcloudRequest = {},
  ): Promise<GuestResponse> {
    const { body, type, accept } = options;
    const isText = typeof body === 'string' || body === undefined || body === null;
    const { status, headers, ...answer } = (await this.call('request', [
      method,
      path,
      {
        body: isText ? body : stringify(body),
        type: type ?? (isText ? undefined : 'application/json'),
        accept,
      },
    ])) as { status: number; headers: [string, string][]; body: string };
    const bodiless = status === 204 || status === 205 || answer.body === '';
    return new GuestResponse(bodiless ? null : answer.body, { status, headers });
  }
  query(type: unknown, options: unknown = {}): Promise<unknown> {
    return this.call('query', [type, options]);
  }
}

class Events extends Binding {
  async emit(event: unknown): Promise<void> {
    await this.call('emit', [event]);
  }
}

const HALVES = {
  __proto__: null,
  kv: KvNamespace,
  vcloud: Vcloud,
  events: Events,
  fetch: FetchBinding,
  secrets: Secrets,
} as unknown as Readonly<Record<string, typeof Binding | undefined>>;

/** The object behind `env[name]`; a binding without a class of its own has `call` only. */
export function createBinding(name: string, scope: CallScope): Binding {
  const Half = HALVES[name] ?? Binding;
  return new Half(name, scope);
}
