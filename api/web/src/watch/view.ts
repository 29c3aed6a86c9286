/** What the views say, as functions of the state. */
import type { MessageKey } from '../lib/i18n/format.js';
import { onStage, type Programme, type Talk } from '../lib/model.js';
import type { Problem } from '../lib/problem.js';
import { auditoriumOf, type State, targetTalk } from './machine.js';

/** The talk that the page is about at an instant: its target, the one on air, the next one, the last one. */
export function subjectOf(s: State, at: number): Talk | null {
  const target = targetTalk(s);
  if (target !== null || s.programme === null || s.target.kind === 'talk') return target;
  if (Number.isNaN(at)) return null;
  const stage = onStage(s.programme, s.target.id, s.grant?.language ?? s.language, at);
  return stage.current ?? stage.next ?? stage.previous;
}

/** What is said in one polite line when something changes; null: nothing to say. */
export function statusOf(s: State, online: boolean): MessageKey | null {
  if (!online) return 'watch.lost.offline';
  if (s.link === 'lost') return 'watch.lost';
  switch (s.phase) {
    case 'opening':
      return 'watch.opening';
    case 'ending':
      return 'watch.ending';
    case 'waiting':
      return 'watch.waiting';
    case 'playing':
      return s.handedOver && s.grant?.view === 'replay' ? 'watch.handover' : null;
    default:
      return null;
  }
}

/** Words of a refusal; date: the problem names an instant. */
export function wordsOf(problem: Problem, hasKey: boolean): MessageKey {
  if (!hasKey) return 'refused.nokey';
  switch (problem.status) {
    case 401:
      return problem.code === 'token-expired' ? 'refused.expired' : 'refused.invalid';
    case 403:
      return 'refused.forbidden';
    case 404:
      return 'refused.unknown';
    case 410:
      return problem.until === null ? 'refused.gone' : 'refused.gone.date';
    default:
      return 'refused.other';
  }
}

/** What fills the place of the picture between talks. */
export type Interlude =
  | { is: 'countdown'; talk: Talk; until: number }
  | { is: 'thanks' }
  | { is: 'closed' }
  | null;

/**
 * at: epoch ms of the frame in the picture, or the server's now when there is none.
 * The countdown goes when the picture of the talk is really there, not before.
 */
export function interludeOf(s: State, at: number): Interlude {
  if (s.programme === null || Number.isNaN(at) || s.phase === 'refused' || s.phase === 'ending') return null;
  if (s.grant?.view === 'replay' && s.phase === 'playing') return null;
  if (s.phase === 'over') return { is: 'closed' };
  const language = s.grant?.language ?? s.language;
  const room = auditoriumOf(s);
  if (room === null) return null;
  const target = targetTalk(s);
  if (target !== null) return countdownTo(target, language, at);
  const stage = onStage(s.programme, room, language, at);
  if (stage.current !== null) return null;
  if (stage.next !== null) return countdownTo(stage.next, language, at);
  return closesBy(s.programme, room, at) ? { is: 'closed' } : { is: 'thanks' };
}

function countdownTo(talk: Talk, language: string, at: number): Interlude {
  const airing = talk.airings[language] ?? Object.values(talk.airings)[0];
  return airing === undefined || at >= airing.starts ? null : { is: 'countdown', talk, until: airing.starts };
}

function closesBy(p: Programme, room: string, at: number): boolean {
  const a = p.auditoriums.find((x) => x.id === room);
  return a !== undefined && at >= a.closes;
}
