/**
 * Delays between tries. Full jitter: when a server comes back, its viewers must
 * not come back in the same second (a herd keeps it down).
 */
export interface Backoff {
  /** Upper bound of the first delay, ms. */
  first: number;
  /** Upper bound of any delay, ms. */
  most: number;
}

export const GENTLE: Backoff = { first: 800, most: 15_000 };

/** Delay in ms before try number `attempt` (0 is the first retry), in [bound/2, bound]. */
export function delayOf(
  attempt: number,
  backoff: Backoff = GENTLE,
  random: () => number = Math.random,
): number {
  const bound = Math.min(backoff.most, backoff.first * 2 ** Math.min(attempt, 20));
  return Math.round(bound * (0.5 + 0.5 * random()));
}

/** A delay spread evenly over [0, ms): for a thing that all viewers do at the same instant. */
export function spread(ms: number, random: () => number = Math.random): number {
  return Math.round(ms * random());
}
