/** Where a speaker stands. Pure. */
import type { HandInPage } from '../intake/api.js';

export type Step =
  /** The terms are to be read and accepted. */
  | 'terms'
  /** A film may be chosen. */
  | 'choose'
  /** The time is over, and nothing came. */
  | 'closed'
  /** There is a film. */
  | 'film';

export function stepOf(p: HandInPage): Step {
  if (p.asset !== undefined || p.upload?.state === 'complete' || p.upload?.state === 'taken') return 'film';
  if (!p.open && p.upload?.state !== 'open') return 'closed';
  return p.accepted === undefined ? 'terms' : 'choose';
}

export type Outlook = 'taking' | 'working' | 'ready' | 'remarks' | 'refused' | 'failed';

/** What becomes of the film. */
export function outlookOf(p: HandInPage): Outlook {
  const a = p.asset;
  if (a === undefined || p.upload?.state === 'complete') return 'taking';
  if (a.state === 'failed')
    return a.verdict === 'refused' || a.findings.some((f) => f.fatal) ? 'refused' : 'failed';
  if (a.state !== 'ready') return 'working';
  return (p.report?.verdict ?? a.verdict) === 'remarks' ? 'remarks' : 'ready';
}

/** The media that an address of a preview shows. */
export function mediaOf(url: string | undefined): string {
  return /\/preview\/([^/]+)\//.exec(url ?? '')?.[1] ?? '';
}
