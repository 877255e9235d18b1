/**
 * `ctx.task()`: the guest's half of the `tasks` binding.
 * May import: bindings, platform, primordials.
 */
import type { Binding } from './bindings.ts';
import { Response } from './platform/fetch.ts';

/** What the host answers `create` with. */
interface CreatedTask {
  readonly id: string;
  readonly href: string;
  readonly xml: string;
  readonly json: string;
  /** Media type without `+xml` or `+json`. */
  readonly type: string;
}

interface RequestLike {
  readonly headers: { get(name: string): string | null };
}

export class Task {
  readonly #tasks: Binding;
  readonly #created: CreatedTask;
  readonly id: string;
  readonly href: string;

  constructor(tasks: Binding, created: CreatedTask) {
    this.#tasks = tasks;
    this.#created = created;
    this.id = created.id;
    this.href = created.href;
  }
  /** 202 with `Location` and the task as the caller accepts it; XML, as vCloud itself does, when that is open. */
  accepted(request: RequestLike): Response {
    const { type, xml, json } = this.#created;
    const accept = request.headers.get('accept') ?? '';
    const asJson = /[/+]json\b/i.test(accept) && !/[/+]xml\b/i.test(accept);
    return new Response(asJson ? json : xml, {
      status: 202,
      headers: [
        ['Location', `/api/task/${this.id}`],
        ['Content-Type', `${type}+${asJson ? 'json' : 'xml'}`],
      ],
    });
  }
  async update({
    progress,
    details,
  }: { progress?: unknown; details?: unknown } = {}): Promise<unknown> {
    return this.#tasks.call('update', [{ id: this.id, progress, details }]);
  }
  async complete(details?: unknown): Promise<void> {
    await this.#tasks.call('complete', [{ id: this.id, message: details }]);
  }
  async fail(message?: unknown): Promise<void> {
    await this.#tasks.call('fail', [{ id: this.id, message }]);
  }
}

export async function createTask(tasks: Binding, options: unknown): Promise<Task> {
  return new Task(tasks, (await tasks.call('create', [options])) as CreatedTask);
}
