/**
 * Retry with jitter for what may be repeated, and a circuit breaker for everything.
 * May import: kernel, vcloud. cockatiel is used here and nowhere else.
 */
import {
  BrokenCircuitError,
  ConsecutiveBreaker,
  ExponentialBackoff,
  circuitBreaker,
  handleWhen,
  retry,
  wrap,
} from 'cockatiel';
import { VcloudError } from '../errors.ts';
import type { ResolvedOptions } from '../options.ts';
import type { HttpAnswer } from './http.ts';

export interface Resilience {
  /**
   * Run one exchange; with `repeatable`, several times. Answers of 5xx and 429 count as failures of the cell.
   * Returns the last answer whatever its status; throws `VCLOUD_UNAVAILABLE` when there was none.
   */
  run(
    exchange: () => Promise<HttpAnswer>,
    options: { readonly repeatable: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<HttpAnswer>;
}

/** Carries an answer that says "not now" through the policies. */
class FailingAnswer extends Error {
  readonly answer: HttpAnswer;
  constructor(answer: HttpAnswer) {
    super(`status ${answer.status}`);
    this.answer = answer;
  }
}

export function createResilience(options: ResolvedOptions): Resilience {
  const isFailure = handleWhen(
    (error) =>
      error instanceof FailingAnswer ||
      (error instanceof VcloudError && error.code === 'VCLOUD_UNAVAILABLE'),
  );
  const breaker = circuitBreaker(isFailure, {
    halfOpenAfter: options.breakerPauseMs,
    breaker: new ConsecutiveBreaker(options.breakerFailures),
  });
  breaker.onBreak(() => options.log.warn('vcloud.breaker-opened'));
  breaker.onReset(() => options.log.info('vcloud.breaker-closed'));
  const again = retry(isFailure, {
    maxAttempts: options.attempts - 1,
    backoff: new ExponentialBackoff({ initialDelay: options.retryPauseMs, maxDelay: 5_000 }),
  });
  const repeated = wrap(again, breaker);

  return {
    async run(exchange, { repeatable, signal }) {
      const attempt = async () => {
        // Somebody who has left is no failure of the cell: `cancelled` is not counted.
        if (signal?.aborted) throw new Cancelled();
        const answer = await exchange().catch((error: unknown) => {
          throw signal?.aborted ? new Cancelled() : error;
        });
        if (answer.status >= 500 || answer.status === 429) throw new FailingAnswer(answer);
        return answer;
      };
      try {
        return await (repeatable ? repeated : breaker).execute(attempt, signal);
      } catch (error) {
        if (error instanceof FailingAnswer) return error.answer;
        throw toHostError(error);
      }
    },
  };
}

class Cancelled extends Error {}

function toHostError(error: unknown): unknown {
  if (error instanceof Cancelled)
    return new VcloudError({ code: 'VCLOUD_UNAVAILABLE', message: 'cancelled', cause: error });
  if (error instanceof BrokenCircuitError)
    return new VcloudError({
      code: 'VCLOUD_UNAVAILABLE',
      message: 'vCloud failed several times in a row; no request is sent for a moment',
    });
  return error;
}
