/**
 * Holding the picture to the schedule. The frame to show is the one whose
 * programme date time is the server's now; what a player is off is taken back by
 * a slightly other speed, and by a jump when it is far off.
 */

/** Beyond this the player jumps, s. */
export const SEEK_ABOVE = 2;
/** A picture that has only just started, or stood still, may jump at once: nobody sees it. From this error on, s … */
const FRESH_SEEK_ABOVE = 0.3;
/** … and with this buffered, s. */
const FRESH_AHEAD = 2;
/** What a jump within the buffer costs, s. */
const SEEK_COST = 0.08;
/** Speed is corrected once the error passes this, s … */
const WAKE = 0.06;
/** … and until it is below this. */
const REST = 0.02;
/** Speed per second of error. */
const GAIN = 0.3;
export const SLOWEST = 0.94;
export const FASTEST = 1.06;
/** A jump that did not help is not repeated before this, ms. */
const SEEK_EVERY = 4_000;

export interface Reading {
  /** Shown frame's date minus the server's now, s: positive is ahead. */
  error: number;
  /** Media position, s. */
  position: number;
  /** What can be reached, s on the media timeline. */
  seekable: { start: number; end: number } | null;
  /** Seconds buffered ahead of the position. */
  ahead: number;
  /** Monotonic ms. */
  at: number;
}

export interface Correction {
  rate: number;
  /** Media position to jump to; null: none. */
  seek: number | null;
}

export class SyncController {
  #correcting = false;
  #fresh = true;
  #lastSeek = Number.NEGATIVE_INFINITY;

  /** What to do about one reading; called some five times a second while following. */
  decide(r: Reading): Correction {
    // With next to nothing buffered a jump would stall: the start is not over yet.
    const fresh = this.#fresh && r.ahead > FRESH_AHEAD;
    if (fresh) this.#fresh = false;
    if (Math.abs(r.error) > (fresh ? FRESH_SEEK_ABOVE : SEEK_ABOVE)) {
      this.#correcting = false;
      return { rate: 1, seek: this.#jump(r) };
    }
    if (Math.abs(r.error) > WAKE) this.#correcting = true;
    else if (Math.abs(r.error) < REST) this.#correcting = false;
    if (!this.#correcting) return { rate: 1, seek: null };
    const rate = clamp(1 - GAIN * r.error, SLOWEST, FASTEST);
    // Running faster than the network brings data would end in a stall.
    if (rate > 1 && r.ahead < 1) return { rate: 1, seek: null };
    return { rate: Math.round(rate * 1000) / 1000, seek: null };
  }

  #jump(r: Reading): number | null {
    if (r.seekable === null || r.at - this.#lastSeek < SEEK_EVERY) return null;
    const wanted = r.position - r.error + (r.error < 0 ? SEEK_COST : 0);
    // Half a second inside the end: at the very end there is nothing to show.
    const reached = clamp(wanted, r.seekable.start, Math.max(r.seekable.start, r.seekable.end - 0.5));
    if (Math.abs(reached - r.position) < 0.25) return null;
    this.#lastSeek = r.at;
    return reached;
  }

  /** Forget what was going on: a new source, a pause, a person's own seek. */
  reset(): void {
    this.#correcting = false;
    this.#fresh = true;
    this.#lastSeek = Number.NEGATIVE_INFINITY;
  }
}

export function clamp(x: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, x));
}

/** Where the viewer is in relation to the air. */
export type Following = 'live' | 'behind' | 'paused';

/** A person who lands within this of the air means the air, s. */
const NEAR = 1.5;

/** The state after a person's seek that leaves the picture `behind` seconds behind the air. */
export function afterSeek(behind: number, paused: boolean): Following {
  if (paused) return 'paused';
  return behind <= NEAR ? 'live' : 'behind';
}

/** Median and worst of absolute errors, for the debug panel. */
export function summary(errors: readonly number[]): { median: number; worst: number } | null {
  if (errors.length === 0) return null;
  const sorted = errors.map(Math.abs).sort((a, b) => a - b);
  return {
    median: sorted[Math.floor(sorted.length / 2)] as number,
    worst: sorted[sorted.length - 1] as number,
  };
}
