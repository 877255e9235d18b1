/** A tenant's client of the simulated cell. */
import { signIn } from '../../host/cli/sign-in.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed from JSON. */
  json(): Record<string, unknown>;
}

export interface CellClient {
  get(path: string, init?: RequestInit): Promise<Answer>;
  post(path: string, body: string, init?: RequestInit): Promise<Answer>;
  delete(path: string, init?: RequestInit): Promise<Answer>;
}

export async function cellClient(url: string, user: string, password: string): Promise<CellClient> {
  const token = await signIn(url, user, password);
  async function request(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(`${url}${path}`, {
      ...init,
      headers: {
        Accept: 'application/*+json;version=36.0',
        'x-vcloud-authorization': token,
        ...(init.headers as Record<string, string> | undefined),
      },
    });
    const text = await response.text();
    const { status, headers } = response;
    return { status, headers, text, json: () => JSON.parse(text) as Record<string, unknown> };
  }
  return {
    get: (path, init) => request(path, init),
    post: (path, body, init) => request(path, { ...init, method: 'POST', body }),
    delete: (path, init) => request(path, { ...init, method: 'DELETE' }),
  };
}
