import createClient from 'openapi-fetch';
import type { Grant, Programme, Target } from '../model.js';
import { NETWORK, type Problem, toProblem } from '../problem.js';
import type { Language } from '../route.js';
import type { paths } from './schema.gen.js';
import { toGrant, toProgramme } from './wire.js';

/** The answer to a question, or what was wrong. Questions never throw. */
export type Answer<T> = { ok: true; value: T } | { ok: false; problem: Problem };

const TIMEOUT_MS = 10_000;

/** The server's questions, asked with the key of the person's link. */
export class Api {
  readonly #client;
  readonly #headers: Record<string, string>;

  constructor(key: string | null) {
    this.#client = createClient<paths>({ baseUrl: location.origin });
    this.#headers = key === null ? {} : { Authorization: `Bearer ${key}` };
  }

  /** The server's epoch ms; throws when there is none (ServerClock counts on it). */
  async time(signal: AbortSignal): Promise<number> {
    const { data } = await this.#client.GET('/api/v1/time', { signal, cache: 'no-store' });
    if (data === undefined) throw new Error('no time');
    return data.unix_ms;
  }

  programme(): Promise<Answer<Programme>> {
    return answer(
      this.#client.GET('/api/v1/programme', {
        headers: this.#headers,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      }),
      toProgramme,
    );
  }

  playback(target: Target, language: Language): Promise<Answer<Grant>> {
    const body =
      target.kind === 'auditorium' ? { auditorium: target.id, language } : { talk: target.id, language };
    return answer(
      this.#client.POST('/api/v1/playback', {
        body,
        headers: this.#headers,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      }),
      toGrant,
    );
  }
}

async function answer<W, T>(
  asked: Promise<{ data?: W; error?: unknown; response: Response }>,
  convert: (wire: W) => T,
): Promise<Answer<T>> {
  try {
    const { data, error, response } = await asked;
    if (data !== undefined) return { ok: true, value: convert(data) };
    return { ok: false, problem: toProblem(response.status, error) };
  } catch {
    return { ok: false, problem: NETWORK };
  }
}
