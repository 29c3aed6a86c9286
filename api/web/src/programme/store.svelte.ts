import type { Api } from '../lib/api/client.js';
import type { ServerClock } from '../lib/clock.js';
import type { Programme } from '../lib/model.js';
import { type Problem, remedyOf } from '../lib/problem.js';
import { delayOf, spread } from '../lib/retry.js';

const POLL_MS = 15_000;

/** The programme, read again and again: what the pages around the picture show. */
export class ProgrammeStore {
  programme = $state.raw<Programme | null>(null);
  problem = $state.raw<Problem | null>(null);
  now = $state(Number.NaN);
  readonly #api: Api;
  #tries = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  readonly #beat: ReturnType<typeof setInterval>;

  constructor(api: Api, clock: ServerClock) {
    this.#api = api;
    this.#beat = setInterval(() => {
      if (clock.known) this.now = clock.now();
    }, 500);
    void this.#fetch();
  }

  close(): void {
    clearInterval(this.#beat);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#tries = -1;
  }

  async #fetch(): Promise<void> {
    const answer = await this.#api.programme();
    if (this.#tries < 0) return;
    if (answer.ok) {
      this.programme = answer.value;
      if (Number.isNaN(this.now)) this.now = answer.value.asOf;
      this.problem = null;
      this.#tries = 0;
    } else {
      this.problem = answer.problem;
      this.#tries++;
    }
    const again = answer.ok || remedyOf(answer.problem) === 'retry';
    if (!again) return;
    const after = answer.ok ? POLL_MS + spread(5_000) : delayOf(this.#tries);
    this.#timer = setTimeout(() => void this.#fetch(), after);
  }
}
