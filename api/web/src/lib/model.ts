/** What the page knows of a conference: the programme and a grant, in the page's own words. */

/** One text in the languages that have it. */
export type Text = Readonly<Record<string, string>>;

export interface Event {
  id: string;
  title: Text;
  languages: readonly string[];
  /** IANA time zone of the event. */
  zone: string;
  /** Epoch ms from which replays are gone; null when not said. */
  replayUntil: number | null;
}

export interface Auditorium {
  id: string;
  title: Text;
  /** Epoch ms: the feed's first and last instant. */
  opens: number;
  closes: number;
}

export type TalkState = 'scheduled' | 'waiting' | 'on-air' | 'ended' | 'replay';

/** When a talk is on air in one language, epoch ms. */
export interface Airing {
  starts: number;
  /** NaN while the talk is not laid out on the feed (its film is not ready): starts is then the planned hour. */
  ends: number;
}

export interface Talk {
  id: string;
  auditorium: string;
  title: Text;
  abstract: Text;
  speakers: readonly string[];
  /** Language of the talk's own sound. */
  spoken: string;
  state: TalkState;
  airings: Readonly<Record<string, Airing>>;
  /** Languages that have their own sound. */
  sounds: readonly string[];
  captions: readonly string[];
  /** One film for all languages: the sound can be changed without changing the picture. */
  shared: boolean;
}

export interface Programme {
  /** Server's epoch ms at which the states were true. */
  asOf: number;
  event: Event;
  auditoriums: readonly Auditorium[];
  talks: readonly Talk[];
}

export type View = 'live' | 'startover' | 'replay';

/** The server's leave to play: a URL with a playback token in its path. */
export interface Grant {
  url: string;
  view: View;
  state: TalkState;
  /** The feed's language. */
  language: string;
  /** Epoch ms; null when not said. */
  starts: number | null;
  ends: number | null;
  expires: number | null;
  poster: string | null;
}

export type Target = { kind: 'auditorium' | 'talk'; id: string };

/** A text in language l, or in any that it has. */
export function textIn(text: Text, language: string): string {
  const exact = text[language];
  if (exact !== undefined) return exact;
  const first = Object.keys(text).sort()[0];
  return first === undefined ? '' : (text[first] ?? '');
}

/** The language that textIn answers in, for the lang attribute. */
export function languageOfText(text: Text, language: string): string {
  return text[language] === undefined ? (Object.keys(text).sort()[0] ?? language) : language;
}

export function airingOf(talk: Talk, language: string): Airing | null {
  return talk.airings[language] ?? Object.values(talk.airings)[0] ?? null;
}

/** Talks of an auditorium, in the order of their start in this language. */
export function talksOf(p: Programme, auditorium: string, language: string): Talk[] {
  return p.talks
    .filter((t) => t.auditorium === auditorium)
    .sort((a, b) => (airingOf(a, language)?.starts ?? 0) - (airingOf(b, language)?.starts ?? 0));
}

export interface OnStage {
  /** The talk in the picture at that instant; null during slates. */
  current: Talk | null;
  next: Talk | null;
  /** The talk that ended last. */
  previous: Talk | null;
}

/** What an auditorium's feed in this language shows at an instant (epoch ms). */
export function onStage(p: Programme, auditorium: string, language: string, at: number): OnStage {
  const stage: OnStage = { current: null, next: null, previous: null };
  for (const talk of talksOf(p, auditorium, language)) {
    const airing = airingOf(talk, language);
    if (airing === null) continue;
    if (at < airing.starts) stage.next ??= talk;
    else if (at < airing.ends) stage.current = talk;
    else if (at >= airing.ends) stage.previous = talk;
  }
  return stage;
}

/** State of a talk by the clock: what the programme said may be seconds old. */
export function stateAt(p: Programme, talk: Talk, language: string, at: number): TalkState {
  const airing = airingOf(talk, language);
  if (airing === null || Number.isNaN(at) || Number.isNaN(airing.ends)) return talk.state;
  if (at < airing.starts) {
    const room = p.auditoriums.find((a) => a.id === talk.auditorium);
    return room !== undefined && at >= room.opens ? 'waiting' : 'scheduled';
  }
  if (at < airing.ends) return 'on-air';
  return p.event.replayUntil !== null && at >= p.event.replayUntil ? 'ended' : 'replay';
}

/** Does the talk lack its own sound in this language? */
export function lacksSound(talk: Talk, language: string): boolean {
  return talk.sounds.length > 0 && !talk.sounds.includes(language);
}
