/** From the server's words (generated types) to the page's own (model.ts). The only place that knows both. */
import type { Airing, Auditorium, Grant, Programme, Talk } from '../model.js';
import type { components } from './schema.gen.js';

type Wire = components['schemas'];

function instant(s: string | undefined): number | null {
  const ms = s === undefined ? Number.NaN : Date.parse(s);
  // Go's zero time stands for "not said".
  return Number.isNaN(ms) || ms <= 0 ? null : ms;
}

export function toProgramme(w: Wire['Programme']): Programme {
  return {
    asOf: instant(w.now) ?? 0,
    event: {
      id: w.id,
      title: w.title,
      languages: w.languages,
      zone: w.zone,
      replayUntil: instant(w.replay_until),
    },
    auditoriums: w.auditoriums.map(toAuditorium),
    talks: w.talks.map(toTalk),
  };
}

function toAuditorium(w: Wire['Auditorium']): Auditorium {
  return { id: w.id, title: w.title, opens: instant(w.opens_at) ?? 0, closes: instant(w.closes_at) ?? 0 };
}

function toTalk(w: Wire['Talk']): Talk {
  const airings: Record<string, Airing> = {};
  const planned = instant(w.starts_at) ?? 0;
  for (const [language, a] of Object.entries(w.airings)) {
    const starts = instant(a.starts_at);
    airings[language] =
      starts === null
        ? { starts: planned, ends: Number.NaN }
        : { starts, ends: instant(a.ends_at) ?? Number.NaN };
  }
  return {
    id: w.id,
    auditorium: w.auditorium,
    title: w.title,
    abstract: w.abstract,
    speakers: w.speakers,
    spoken: w.spoken,
    state: w.state,
    airings,
    sounds: w.sounds,
    captions: w.captions,
    shared: w.shared,
  };
}

export function toGrant(w: Wire['Playback']): Grant {
  return {
    url: w.url,
    view: w.view,
    state: w.state,
    language: w.language,
    starts: instant(w.starts_at),
    ends: instant(w.ends_at),
    expires: instant(w.expires_at),
    poster: w.poster === undefined || w.poster === '' ? null : w.poster,
  };
}
