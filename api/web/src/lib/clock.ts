/**
 * The server's clock, as seen from here.
 *
 * The viewer's own clock may be wrong by minutes and may be set while the page
 * is open, so it is never asked: instants are performance.now() plus an offset
 * that is measured against GET /api/v1/time.
 */

/** One exchange: local instants (ms of performance.now()) around the server's answer. */
export interface Sample {
  sent: number;
  received: number;
  /** The server's epoch ms, taken somewhere between the two. */
  server: number;
}

export interface Estimate {
  /** Epoch ms minus performance.now(). */
  offset: number;
  /** Half the round trip: the error is at most this, ms. */
  doubt: number;
}

export function estimateOf(s: Sample): Estimate {
  return {
    offset: s.server - (s.sent + s.received) / 2,
    doubt: (s.received - s.sent) / 2,
  };
}

/** The sample with the shortest round trip tells the most. */
export function bestOf(samples: readonly Sample[]): Estimate | null {
  let best: Estimate | null = null;
  for (const s of samples) {
    const e = estimateOf(s);
    if (best === null || e.doubt < best.doubt) best = e;
  }
  return best;
}

/**
 * The estimate to use from now on. A new measurement taken over a slow moment
 * of the network is not allowed to spoil a better one that it does not contradict.
 */
export function merge(old: Estimate | null, fresh: Estimate): Estimate {
  if (old === null) return fresh;
  const agrees = Math.abs(fresh.offset - old.offset) <= fresh.doubt + old.doubt;
  if (agrees && fresh.doubt > old.doubt * 2) return { offset: old.offset, doubt: old.doubt + 1 };
  return fresh;
}

export interface ClockDeps {
  /** Asks the server once; its epoch ms. */
  ask: (signal: AbortSignal) => Promise<number>;
  /** Monotonic ms. */
  monotonic: () => number;
}

const SAMPLES = 5;
const SAMPLE_TIMEOUT_MS = 4000;

export class ServerClock {
  #estimate: Estimate | null = null;
  #measuring: Promise<boolean> | null = null;
  readonly #deps: ClockDeps;

  constructor(deps: ClockDeps) {
    this.#deps = deps;
  }

  /** Is there an estimate yet? */
  get known(): boolean {
    return this.#estimate !== null;
  }

  /** Error bound of now(), ms; null before the first measurement. */
  get doubt(): number | null {
    return this.#estimate?.doubt ?? null;
  }

  /** Server's epoch ms; before the first measurement NaN, so that nothing is shown by a wrong clock. */
  now(): number {
    return this.#estimate === null ? Number.NaN : this.#deps.monotonic() + this.#estimate.offset;
  }

  /** Takes some samples; true when at least one came back. Calls while one runs share it. */
  measure(): Promise<boolean> {
    this.#measuring ??= this.#measure().finally(() => {
      this.#measuring = null;
    });
    return this.#measuring;
  }

  async #measure(): Promise<boolean> {
    const samples: Sample[] = [];
    for (let i = 0; i < SAMPLES; i++) {
      try {
        const sent = this.#deps.monotonic();
        const server = await this.#deps.ask(AbortSignal.timeout(SAMPLE_TIMEOUT_MS));
        samples.push({ sent, received: this.#deps.monotonic(), server });
        // The first answer makes the page usable; the later ones refine it.
        this.#estimate ??= estimateOf(samples[0] as Sample);
      } catch {
        if (samples.length === 0 && i === 0) return false;
      }
    }
    const best = bestOf(samples);
    if (best !== null) this.#estimate = merge(this.#estimate, best);
    return best !== null;
  }
}
