/** What went wrong, in a form that the page can put into words (RFC 9457 with the server's `code`). */
export interface Problem {
  /** HTTP status; 0 when no answer came. */
  status: number;
  /** Stable word of the server, e.g. `token-expired`; `network` when no answer came. */
  code: string;
  /** Instant in epoch ms that the server named: when a replay ended, when doors open. */
  until: number | null;
}

export const NETWORK: Problem = { status: 0, code: 'network', until: null };

/** Reads a problem+json body; any other body gives a problem with the status alone. */
export function toProblem(status: number, body: unknown): Problem {
  const problem: Problem = { status, code: `http-${status}`, until: null };
  if (typeof body !== 'object' || body === null) return problem;
  const b = body as Record<string, unknown>;
  if (typeof b['code'] === 'string') problem.code = b['code'];
  else if (typeof b['type'] === 'string') problem.code = b['type'].split(':').pop() ?? problem.code;
  const until = b['until'] ?? b['opens_at'];
  if (typeof until === 'string') {
    const ms = Date.parse(until);
    if (!Number.isNaN(ms)) problem.until = ms;
  }
  return problem;
}

/** Kinds of problem by what the page does about them. */
export type Remedy = 'renew' | 'wait' | 'retry' | 'stop';

/**
 * renew: a new grant helps (the playback token is over); wait: not there yet;
 * retry: nobody's decision, try again; stop: the server said no for good.
 */
export function remedyOf(p: Problem): Remedy {
  if (p.status === 401) return p.code === 'token-expired' ? 'renew' : 'stop';
  if (p.code === 'not-yet') return 'wait';
  if (p.status === 403 || p.status === 404 || p.status === 410) return 'stop';
  if (p.status === 400 || p.status === 422) return 'stop';
  return 'retry';
}
