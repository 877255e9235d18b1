/**
 * What goes on while a plug-in is developed: loads, failures, calls; each shown as it happens.
 * May import: everything.
 */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { parseManifest, type Manifest } from '../../../bundles/manifest/manifest.ts';
import type { Config } from '../../../config.ts';
import type { Host } from '../../../host.ts';
import { codeOf, messageOf } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { LocalCloudInfo } from '../../local-cloud.ts';
import { userLines } from '../../local-lines.ts';
import { createClient, type Client } from '../remote/client.ts';
import { sampleCalls, type Person } from './calls.ts';
import { createHostLog } from './host-log.ts';
import { callLine, type Broken, type Loaded, type Refused, type Screen } from './screen.ts';
import type { Settings } from './settings.ts';

export interface SessionOptions {
  readonly folder: string;
  readonly info: LocalCloudInfo;
  /** `plugins.vcloudPaths` is written to: what the manifest at hand wants is approved. */
  readonly config: Config;
  readonly settings: Settings;
  readonly screen: Screen;
}

export interface Session {
  /** For the host. */
  readonly log: Log;
  /** The host is ready: show what to type, and its lines from now on. Disposing waits for what is under way. */
  begin(host: Host, person: Person): Promise<AsyncDisposable>;
}

/** A call that reached the plug-in has a line of its own a moment after the host's word that it was refused. */
const REFUSED_MS = 250;
const MAX_CALLS = 200;

export function createSession(options: SessionOptions): Session {
  return new DevSession(options);
}

class DevSession implements Session {
  readonly log: Log;
  readonly #options: SessionOptions;
  readonly #following = new Map<string, Disposable>();
  /** Ids of the latest calls that have a line. */
  readonly #shown = new Set<string>();
  #running: Loaded | null = null;
  #open: { host: Host; person: Person; client: Client } | null = null;
  #work = Promise.resolve();
  #calls = '';
  /** What the end of the host brings about is of no interest. */
  #over = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.log = createHostLog({
      screen: options.screen,
      level: options.config.log.level,
      onLoaded: (loaded) => this.#onLoaded(loaded),
      onBroken: (broken) => this.#onBroken(broken),
      onRefused: (refused) => this.#onRefused(refused),
    });
  }

  async begin(host: Host, person: Person): Promise<AsyncDisposable> {
    const url = new URL(host.operatorUrl);
    const token = readFileSync(host.tokenFile, 'utf8').trim();
    this.#open = { host, person, client: createClient({ url, token }) };
    const manifest = await this.#settle();
    this.#showReady(manifest);
    return {
      [Symbol.asyncDispose]: async () => {
        this.#over = true;
        for (const following of this.#following.values()) following[Symbol.dispose]();
        await this.#work;
      },
    };
  }

  #onLoaded(loaded: Loaded): void {
    if (this.#over) return;
    this.#running = loaded;
    this.#options.screen.loaded(loaded);
    if (!this.#open) return;
    this.#work = this.#work.then(async () => {
      const manifest = await this.#settle();
      if (manifest) this.#showCalls(manifest);
    });
  }

  #onBroken(broken: Omit<Broken, 'running'>): void {
    if (this.#over) return;
    this.#options.screen.broken({ ...broken, running: this.#running?.version ?? null });
  }

  #onRefused({ callId, ...refused }: Refused & { readonly callId: string }): void {
    setTimeout(() => {
      if (!this.#shown.has(callId)) this.#options.screen.refused(refused);
    }, REFUSED_MS).unref();
  }

  /** What was loaded gets what it needs. Never rejects: what is wrong is shown. */
  async #settle(): Promise<Manifest | null> {
    const { folder, config, settings, info, screen } = this.#options;
    if (!this.#open || !this.#running || this.#over) return null;
    const { plugin } = this.#running;
    this.#follow(this.#open.host, plugin);
    try {
      const manifest = parseManifest(
        JSON.parse(await readFile(join(folder, 'plugin.json'), 'utf8')) as unknown,
      );
      config.plugins.vcloudPaths[manifest.name] = manifest.vcloudPaths;
      const orgs = info.orgs.map(({ id }) => id);
      await settings.apply(this.#open.client, plugin, orgs);
      return manifest;
    } catch (error) {
      screen.host('error', 'dev.settings', { code: codeOf(error), reason: messageOf(error) });
      return null;
    }
  }

  #follow(host: Host, plugin: string): void {
    if (this.#following.has(plugin)) return;
    const following = host.logbook.follow({ plugin }, (line) => {
      if (line.kind === 'call') {
        this.#shown.add(line.callId);
        const [oldest] = this.#shown;
        if (this.#shown.size > MAX_CALLS && oldest !== undefined) this.#shown.delete(oldest);
      }
      this.#options.screen.line(line);
    });
    this.#following.set(plugin, following);
  }

  #showReady(manifest: Manifest | null): void {
    if (!this.#open) return;
    const { host, person } = this.#open;
    const { operatorUrl, tokenFile } = host;
    const calls = manifest ? sampleCalls(manifest, person) : [];
    this.#calls = JSON.stringify(calls);
    const { orgs } = this.#options.info;
    const readyMs = Math.round(performance.now());
    const name = this.#running?.plugin ?? 'NAME';
    this.#options.screen.ready(
      [
        '',
        `Ready after ${(readyMs / 1_000).toFixed(1)} s. In another terminal, as ${person.name}:`,
        '',
        ...calls.map(callLine),
        ...(calls.length > 0 ? [] : ['  (it has no routes yet)']),
        '',
        `Operator: ${operatorUrl} (vcx plugin show ${name} --operator ${operatorUrl} --token-file ${tokenFile})`,
        '',
        ...userLines(this.#options.info),
        '',
        'Save a file and it is loaded anew. Ctrl-C stops all of it.',
        '',
      ],
      { readyMs, operator: operatorUrl, tokenFile, cell: person.cell, user: person, calls, orgs },
    );
  }

  /** Anew when the routes have changed. */
  #showCalls(manifest: Manifest): void {
    if (!this.#open) return;
    const calls = sampleCalls(manifest, this.#open.person);
    const text = JSON.stringify(calls);
    if (text === this.#calls) return;
    this.#calls = text;
    this.#options.screen.calls(calls);
  }
}
