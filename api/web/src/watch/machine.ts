/**
 * The watch page as a function: step(state, event) gives the next state and what
 * is to be done. Nothing here touches the network, the picture or a clock; the
 * store beside it carries the effects out and brings their results back as
 * events. No state says that something happened before it did.
 */
import { airingOf, type Grant, onStage, type Programme, type Talk, type Target } from '../lib/model.js';
import { type Problem, remedyOf } from '../lib/problem.js';
import { delayOf, spread } from '../lib/retry.js';
import type { Language } from '../lib/route.js';

/**
 * opening: asking for leave; waiting: nothing to show yet; playing: a source is
 * loaded; ending: the talk is over and its replay is asked for; over: the feed
 * ended for good; refused: the server said no, in words.
 */
export type Phase = 'opening' | 'waiting' | 'playing' | 'ending' | 'over' | 'refused';

export interface State {
  target: Target;
  /** The person's one choice: sound, captions and words. */
  language: Language;
  programme: Programme | null;
  /** What is played. */
  grant: Grant | null;
  phase: Phase;
  link: 'well' | 'lost';
  refusal: Problem | null;
  /** Failed tries in a row. */
  tries: number;
  /** Number of the last question for a grant; an answer to an older one is dropped. */
  asked: number;
  /** Language that the open question is about; null when none is open. */
  asking: Language | null;
  /** Language that the grant was asked for: not the grant's own where the event lacks it. */
  feed: Language | null;
  /** The talk in the picture at the last tick. */
  stage: string | null;
  /** The last talk that ended while the page was open. */
  finished: string | null;
  /** Live became replay under the viewer's eyes. */
  handedOver: boolean;
}

export type Event =
  | { is: 'opened' }
  | { is: 'programme'; programme: Programme }
  | { is: 'programme-failed'; problem: Problem }
  | { is: 'granted'; asked: number; grant: Grant }
  | { is: 'refused'; asked: number; problem: Problem }
  /** Several times a second. shown: epoch ms of the frame in the picture, null when there is none. */
  | { is: 'tick'; shown: number | null }
  | { is: 'picture-ended' }
  /** The player could not load; when fatal it has stopped trying. */
  | { is: 'trouble'; problem: Problem; fatal: boolean }
  /** The player loaded something. */
  | { is: 'flowing' }
  | { is: 'language'; language: Language; inPlace: boolean }
  | { is: 'retry' };

export type Effect =
  | { do: 'fetch'; after: number }
  | { do: 'ask'; asked: number; language: Language; after: number }
  /**
   * Load a source. keep: go on where the viewer was (a renewed token, the other
   * language's feed); else begin as the view begins. play: false waits for the person.
   */
  | { do: 'play'; grant: Grant; keep: boolean; play: boolean }
  /** Change the sound of the source that is loaded. */
  | { do: 'sound'; language: Language }
  /** Let the player load again. */
  | { do: 'reload'; after: number };

export interface Context {
  /** Server's epoch ms, NaN before it is known. */
  now: number;
  random: () => number;
}

export type Step = [State, Effect[]];

/** Programme is read again every POLL to POLL + POLL_SPREAD ms. */
export const POLL = 15_000;
const POLL_SPREAD = 5_000;
/** All viewers of a talk see it end in the same instant: their questions are spread over this, ms. */
export const HANDOVER_SPREAD = 1_500;
/** A talk's first frames can be asked for this long before they air (HOLD-BACK), ms. */
const LEAD = 16_000;

export function initial(target: Target, language: Language): State {
  return {
    target,
    language,
    programme: null,
    grant: null,
    phase: 'opening',
    link: 'well',
    refusal: null,
    tries: 0,
    asked: 0,
    asking: null,
    feed: null,
    stage: null,
    finished: null,
    handedOver: false,
  };
}

export function step(s: State, e: Event, c: Context): Step {
  switch (e.is) {
    case 'opened':
      return ask({ ...s, phase: 'opening' }, 0, [{ do: 'fetch', after: 0 }]);
    case 'programme':
      return [
        { ...s, programme: e.programme },
        [{ do: 'fetch', after: POLL + spread(POLL_SPREAD, c.random) }],
      ];
    case 'programme-failed':
      return programmeFailed(s, e.problem, c);
    case 'granted':
      return e.asked === s.asked ? granted(s, e.grant, c) : [s, []];
    case 'refused':
      return e.asked === s.asked ? refused(s, e.problem, c) : [s, []];
    case 'tick':
      return tick(s, e.shown, c);
    case 'picture-ended':
      return pictureEnded(s, c);
    case 'trouble':
      return trouble(s, e.problem, e.fatal, c);
    case 'flowing':
      return s.link === 'well' && s.tries === 0 ? [s, []] : [{ ...s, link: 'well', tries: 0 }, []];
    case 'language':
      return language(s, e.language, e.inPlace);
    case 'retry':
      return ask({ ...s, phase: s.grant === null ? 'opening' : s.phase, refusal: null, tries: 0 }, 0, [
        { do: 'fetch', after: 0 },
      ]);
  }
}

/** A new question; the answer to any older one will be dropped. */
function ask(s: State, after: number, also: Effect[] = []): Step {
  const asked = s.asked + 1;
  return [{ ...s, asked, asking: s.language }, [...also, { do: 'ask', asked, language: s.language, after }]];
}

function programmeFailed(s: State, problem: Problem, c: Context): Step {
  // Who may not read the programme may still watch: only the grant decides about that.
  const after = remedyOf(problem) === 'retry' ? delayOf(s.tries, undefined, c.random) : POLL * 4;
  const silent = problem.status !== 0;
  return [{ ...s, link: silent ? s.link : 'lost', tries: s.tries + 1 }, [{ do: 'fetch', after }]];
}

function granted(s: State, grant: Grant, c: Context): Step {
  const next: State = { ...s, asking: null, refusal: null, link: 'well', tries: 0 };
  const ending = s.phase === 'ending' && grant.view !== 'replay';
  if (grant.url === '' || ending) {
    // Ended, but its replay is not offered yet; or nothing on air yet.
    const phase = ending ? 'ending' : 'waiting';
    return ask({ ...next, phase, grant: ending ? s.grant : grant }, waitOf(s, c));
  }
  const before = s.grant !== null && s.grant.url !== '' && s.phase !== 'waiting' ? s.grant : null;
  const same = before !== null && (before.view === 'replay') === (grant.view === 'replay');
  const handedOver = s.handedOver || (before !== null && before.view !== 'replay' && grant.view === 'replay');
  return [
    { ...next, grant, feed: s.asking ?? s.language, phase: 'playing', handedOver },
    [{ do: 'play', grant, keep: same, play: grant.view !== 'replay' || same }],
  ];
}

function refused(s: State, problem: Problem, c: Context): Step {
  const next: State = { ...s, asking: null };
  switch (remedyOf(problem)) {
    case 'retry':
      return ask({ ...next, link: 'lost', tries: s.tries + 1 }, delayOf(s.tries, undefined, c.random));
    case 'wait':
      return ask({ ...next, phase: 'waiting' }, waitOf(s, c));
    default:
      if (problem.status === 404 && isAhead(s, c)) return ask({ ...next, phase: 'waiting' }, waitOf(s, c));
      return [{ ...next, phase: 'refused', refusal: problem }, []];
  }
}

function tick(s: State, shown: number | null, c: Context): Step {
  const grant = s.grant;
  if (s.programme === null || grant === null || s.phase !== 'playing' || grant.view === 'replay') {
    return [s, []];
  }
  const at = shown ?? c.now;
  if (Number.isNaN(at)) return [s, []];
  const room = auditoriumOf(s);
  if (room === null) return [s, []];
  const stage = onStage(s.programme, room, grant.language, at).current;
  const id = stage?.id ?? null;
  const changed = id !== s.stage;
  const finished = changed && s.stage !== null ? s.stage : s.finished;
  const next: State = changed ? { ...s, stage: id, finished } : s;
  if (changed && s.target.kind === 'talk' && grant.view === 'live' && s.stage === s.target.id) {
    // The talk's page was shown the auditorium's feed; it goes on, the talk does not.
    return pictureEnded(next, c);
  }
  // The sound was changed in place; where the films part, the feed has to follow.
  const follows = s.feed === s.language || stage?.shared === true;
  if (!follows && s.asking !== s.language) return ask(next, 0);
  return [next, []];
}

function pictureEnded(s: State, c: Context): Step {
  if (s.grant?.view === 'replay' || s.phase !== 'playing') return [s, []];
  if (s.target.kind === 'auditorium') return [{ ...s, phase: 'over' }, [{ do: 'fetch', after: 0 }]];
  return ask({ ...s, phase: 'ending' }, spread(HANDOVER_SPREAD, c.random));
}

function trouble(s: State, problem: Problem, fatal: boolean, c: Context): Step {
  if (s.phase !== 'playing') return [s, []];
  if (problem.status === 401 || problem.status === 403 || problem.status === 410) {
    // The playback token is over, or the room is: a new grant works or says why not.
    return s.asking === null ? ask(s, spread(1000, c.random)) : [s, []];
  }
  if (problem.status === 404 && fatal) {
    const phase = isAhead(s, c) ? 'waiting' : s.phase;
    return ask(
      { ...s, phase, tries: s.tries + 1 },
      Math.max(waitOf(s, c), delayOf(s.tries, undefined, c.random)),
    );
  }
  const next: State = { ...s, link: 'lost', tries: fatal ? s.tries + 1 : s.tries };
  return [next, fatal ? [{ do: 'reload', after: delayOf(s.tries, undefined, c.random) }] : []];
}

function language(s: State, chosen: Language, inPlace: boolean): Step {
  if (chosen === s.language) return [s, []];
  const next: State = { ...s, language: chosen };
  if (s.grant === null || s.phase === 'refused') return s.asking === null ? [next, []] : ask(next, 0);
  if (s.phase === 'over') return [next, []];
  const talk = talkInPicture(s);
  if (s.phase === 'playing' && inPlace && (s.feed === chosen || talk?.shared === true)) {
    // An open question about a feed that is no longer wanted is dropped.
    return [{ ...next, asked: s.asked + 1, asking: null }, [{ do: 'sound', language: chosen }]];
  }
  return ask(next, 0);
}

/** The talk that the source shows now: the target of a replay, else what is on stage. */
export function talkInPicture(s: State): Talk | null {
  const id = s.grant?.view === 'replay' || s.grant?.view === 'startover' ? s.target.id : s.stage;
  return s.programme?.talks.find((t) => t.id === id) ?? null;
}

export function targetTalk(s: State): Talk | null {
  if (s.target.kind !== 'talk') return null;
  return s.programme?.talks.find((t) => t.id === s.target.id) ?? null;
}

/** The auditorium of the page: its own, or that of its talk. */
export function auditoriumOf(s: State): string | null {
  return s.target.kind === 'auditorium' ? s.target.id : (targetTalk(s)?.auditorium ?? null);
}

/** First instant at which a source can exist, epoch ms. */
function opening(s: State): number | null {
  const room = s.programme?.auditoriums.find((a) => a.id === auditoriumOf(s));
  if (s.target.kind === 'auditorium') return room?.opens ?? null;
  const talk = targetTalk(s);
  const starts = talk === null ? null : (airingOf(talk, s.language)?.starts ?? null);
  return starts === null ? null : starts - LEAD;
}

function isAhead(s: State, c: Context): boolean {
  if (s.programme === null) return true;
  const at = opening(s);
  // A little patience: every node needs a moment to see a change of the programme.
  return at !== null && c.now < at + 20_000;
}

/** When to ask again while there is nothing to show, ms: at the opening, and now and then before it. */
export function waitOf(s: State, c: Context): number {
  const at = opening(s);
  const left = at === null || Number.isNaN(c.now) ? 5_000 : at - c.now;
  return Math.min(15_000, Math.max(1_500, left)) + spread(HANDOVER_SPREAD, c.random);
}
