import { describe, expect, it } from 'vitest';
import type { Grant, Programme, Talk } from '../lib/model.js';
import { NETWORK, type Problem } from '../lib/problem.js';
import type { Language } from '../lib/route.js';
import { type Effect, type Event, initial, type State, step, waitOf } from './machine.js';

const T0 = Date.parse('2026-11-23T13:00:00Z');
const MIN = 60_000;

function talk(id: string, starts: number, minutes: number, extra: Partial<Talk> = {}): Talk {
  const airing = { starts, ends: starts + minutes * MIN };
  return {
    id,
    auditorium: 'main',
    title: { fr: id, en: id },
    abstract: {},
    speakers: [],
    spoken: 'fr',
    state: 'scheduled',
    airings: { fr: airing, en: airing },
    sounds: ['fr', 'en'],
    captions: [],
    shared: true,
    ...extra,
  };
}

const programme: Programme = {
  asOf: 0,
  event: { id: 'e', title: {}, languages: ['fr', 'en'], zone: 'Europe/Paris', replayUntil: null },
  auditoriums: [{ id: 'main', title: {}, opens: T0 - 10 * MIN, closes: T0 + 120 * MIN }],
  talks: [talk('one', T0, 20), talk('two', T0 + 30 * MIN, 20, { shared: false })],
};

function grant(view: Grant['view'], language: Language = 'fr'): Grant {
  return {
    url: `/p/x/${view}/${language}/multivariant.m3u8`,
    view,
    state: 'on-air',
    language,
    starts: null,
    ends: null,
    expires: null,
    poster: null,
  };
}

const problem = (status: number, code = `http-${status}`): Problem => ({ status, code, until: null });

/** A page that runs through events; effects are kept from the last one. */
class Page {
  state: State;
  effects: Effect[] = [];
  now = T0 - 5 * MIN;

  constructor(kind: 'auditorium' | 'talk', id: string, language: Language = 'fr') {
    this.state = initial({ kind, id }, language);
    this.send({ is: 'opened' });
    this.send({ is: 'programme', programme });
  }

  send(e: Event): this {
    [this.state, this.effects] = step(this.state, e, { now: this.now, random: () => 0.5 });
    return this;
  }

  granted(g: Grant): this {
    return this.send({ is: 'granted', asked: this.state.asked, grant: g });
  }

  refused(p: Problem): this {
    return this.send({ is: 'refused', asked: this.state.asked, problem: p });
  }

  at(ms: number): this {
    this.now = ms;
    return this.send({ is: 'tick', shown: ms });
  }

  did(kind: Effect['do']): Effect[] {
    return this.effects.filter((e) => e.do === kind);
  }
}

describe('opening', () => {
  it('asks for the programme and a grant at once', () => {
    const [state, effects] = step(
      initial({ kind: 'auditorium', id: 'main' }, 'fr'),
      { is: 'opened' },
      {
        now: Number.NaN,
        random: () => 0,
      },
    );
    expect(state.phase).toBe('opening');
    expect(effects).toEqual([
      { do: 'fetch', after: 0 },
      { do: 'ask', asked: 1, language: 'fr', after: 0 },
    ]);
  });

  it('plays live at once and a replay when the person says so', () => {
    const live = new Page('auditorium', 'main').granted(grant('live'));
    expect(live.effects).toEqual([{ do: 'play', grant: grant('live'), keep: false, play: true }]);
    const replay = new Page('talk', 'one').granted(grant('replay'));
    expect(replay.effects).toEqual([{ do: 'play', grant: grant('replay'), keep: false, play: false }]);
    expect(replay.state.handedOver).toBe(false);
  });

  it('drops the answer to an older question', () => {
    const page = new Page('auditorium', 'main');
    page.send({ is: 'granted', asked: 0, grant: grant('live') });
    expect(page.state.phase).toBe('opening');
  });

  it('waits for what is not there yet and asks again in time', () => {
    const page = new Page('talk', 'two');
    page.now = T0 + 30 * MIN - 20_000;
    page.refused(problem(404, 'not-yet'));
    expect(page.state.phase).toBe('waiting');
    const [ask] = page.did('ask');
    // 4 s until its first frames are listed, and a spread.
    expect(ask).toMatchObject({ after: 4_000 + 750 });
  });

  it('says no when the server does', () => {
    for (const status of [401, 403, 410]) {
      const page = new Page('auditorium', 'main').refused(problem(status));
      expect(page.state.phase).toBe('refused');
      expect(page.state.refusal?.status).toBe(status);
      expect(page.effects).toEqual([]);
    }
  });
});

describe('the end of a talk', () => {
  it('hands over to the replay on the talk’s page, without a question in the same second from all', () => {
    const page = new Page('talk', 'one').granted(grant('startover'));
    page.at(T0 + 20 * MIN).send({ is: 'picture-ended' });
    expect(page.state.phase).toBe('ending');
    expect(page.did('ask')).toMatchObject([{ after: 750 }]);
    page.granted(grant('replay'));
    expect(page.state).toMatchObject({ phase: 'playing', handedOver: true });
    expect(page.effects).toEqual([{ do: 'play', grant: grant('replay'), keep: false, play: false }]);
  });

  it('does so too where the talk’s page was shown the auditorium’s feed', () => {
    const page = new Page('talk', 'one').granted(grant('live')).at(T0 + MIN);
    expect(page.state.stage).toBe('one');
    page.at(T0 + 20 * MIN);
    expect(page.state.phase).toBe('ending');
    expect(page.did('ask')).toHaveLength(1);
  });

  it('asks again while the server still answers with the live view', () => {
    const page = new Page('talk', 'one')
      .granted(grant('live'))
      .at(T0 + MIN)
      .at(T0 + 20 * MIN);
    page.granted(grant('live'));
    expect(page.state.phase).toBe('ending');
    expect(page.did('play')).toEqual([]);
    expect(page.did('ask')).toHaveLength(1);
    page.granted(grant('replay'));
    expect(page.state.handedOver).toBe(true);
  });

  it('goes on with slate in the auditorium and remembers what ended', () => {
    const page = new Page('auditorium', 'main').granted(grant('live')).at(T0 + MIN);
    page.at(T0 + 20 * MIN);
    expect(page.state).toMatchObject({ phase: 'playing', stage: null, finished: 'one' });
    expect(page.effects).toEqual([]);
  });

  it('is over when the auditorium’s feed ends', () => {
    const page = new Page('auditorium', 'main').granted(grant('live')).send({ is: 'picture-ended' });
    expect(page.state.phase).toBe('over');
  });

  it('does nothing at the end of a replay', () => {
    const page = new Page('talk', 'one').granted(grant('replay')).send({ is: 'picture-ended' });
    expect(page.state.phase).toBe('playing');
    expect(page.effects).toEqual([]);
  });
});

describe('language', () => {
  const live = () => new Page('auditorium', 'main').granted(grant('live')).at(T0 + MIN);

  it('changes the sound in place while the film is shared', () => {
    const page = live().send({ is: 'language', language: 'en', inPlace: true });
    expect(page.effects).toEqual([{ do: 'sound', language: 'en' }]);
    // and the feed stays for as long as the film is shared
    expect(page.at(T0 + 2 * MIN).effects).toEqual([]);
  });

  it('moves to the other feed at the boundary', () => {
    const page = live()
      .send({ is: 'language', language: 'en', inPlace: true })
      .at(T0 + 20 * MIN);
    expect(page.did('ask')).toMatchObject([{ language: 'en', after: 0 }]);
    // once, not at every tick
    expect(page.at(T0 + 20 * MIN + 200).effects).toEqual([]);
    page.granted(grant('live', 'en'));
    expect(page.effects).toEqual([{ do: 'play', grant: grant('live', 'en'), keep: true, play: true }]);
    expect(page.at(T0 + 21 * MIN).effects).toEqual([]);
  });

  it('changes the feed at once where each language has its film', () => {
    const page = live()
      .at(T0 + 31 * MIN)
      .send({ is: 'language', language: 'en', inPlace: true });
    expect(page.did('ask')).toMatchObject([{ language: 'en' }]);
  });

  it('changes the feed at once where the player cannot change the sound', () => {
    const page = live().send({ is: 'language', language: 'en', inPlace: false });
    expect(page.did('ask')).toMatchObject([{ language: 'en' }]);
  });

  it('back and forth within one film asks for nothing', () => {
    const page = live()
      .send({ is: 'language', language: 'en', inPlace: true })
      .send({ is: 'language', language: 'fr', inPlace: true });
    expect(page.effects).toEqual([{ do: 'sound', language: 'fr' }]);
  });

  it('that the event does not have is not asked for again and again', () => {
    const page = new Page('auditorium', 'main', 'en').granted(grant('live', 'fr'));
    expect(page.at(T0 - MIN).effects).toEqual([]);
    expect(page.at(T0 + 31 * MIN).effects).toEqual([]);
  });

  it('keeps the place in a replay', () => {
    const page = new Page('talk', 'two').granted(grant('replay'));
    page.send({ is: 'language', language: 'en', inPlace: true }).granted(grant('replay', 'en'));
    expect(page.effects).toMatchObject([{ do: 'play', keep: true }]);
    expect(page.state.handedOver).toBe(false);
  });
});

describe('trouble', () => {
  const live = () => new Page('auditorium', 'main').granted(grant('live')).at(T0 + MIN);

  it('is retried for ever, later and later, and forgotten when data flows', () => {
    const page = live();
    const delays: number[] = [];
    for (let i = 0; i < 8; i++) {
      page.send({ is: 'trouble', problem: NETWORK, fatal: true });
      const [reload] = page.did('reload');
      delays.push((reload as { after: number }).after);
    }
    expect(page.state).toMatchObject({ link: 'lost', phase: 'playing' });
    expect(delays[0]).toBeLessThan(1_000);
    expect(delays.every((d) => d <= 15_000)).toBe(true);
    expect([...delays].sort((a, b) => a - b)).toEqual(delays);
    page.send({ is: 'flowing' });
    expect(page.state).toMatchObject({ link: 'well', tries: 0 });
  });

  it('with the token asks for a new grant in silence and goes on where it was', () => {
    const page = live().send({ is: 'trouble', problem: problem(401, 'token-expired'), fatal: true });
    expect(page.state).toMatchObject({ link: 'well', phase: 'playing' });
    expect(page.did('ask')).toHaveLength(1);
    page.send({ is: 'trouble', problem: problem(401, 'token-expired'), fatal: true });
    expect(page.effects).toEqual([]);
    page.granted(grant('live'));
    expect(page.effects).toMatchObject([{ do: 'play', keep: true, play: true }]);
  });

  it('of the API keeps what is played', () => {
    const page = live().send({ is: 'programme-failed', problem: NETWORK });
    expect(page.state).toMatchObject({ link: 'lost', phase: 'playing' });
    expect(page.did('fetch')).toHaveLength(1);
  });

  it('while asking is retried', () => {
    const page = new Page('auditorium', 'main').refused(problem(503));
    expect(page.state).toMatchObject({ phase: 'opening', link: 'lost' });
    expect(page.did('ask')).toHaveLength(1);
  });

  it('that was final can be tried again by hand', () => {
    const page = new Page('auditorium', 'main').refused(problem(403)).send({ is: 'retry' });
    expect(page.state).toMatchObject({ phase: 'opening', refusal: null });
    expect(page.did('ask')).toHaveLength(1);
  });
});

describe('waitOf', () => {
  it('is between 1.5 and 16.5 s', () => {
    const page = new Page('talk', 'two');
    for (const now of [Number.NaN, T0 - 999 * MIN, T0 + 30 * MIN, T0 + 999 * MIN]) {
      const ms = waitOf(page.state, { now, random: () => 0.99 });
      expect(ms).toBeGreaterThanOrEqual(1_500);
      expect(ms).toBeLessThanOrEqual(16_500);
    }
  });
});
