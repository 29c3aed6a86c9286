import { describe, expect, it } from 'vitest';
import { bestOf, estimateOf, merge, ServerClock } from './clock.js';
import { position, sameHour, secondsLeft, split } from './i18n/format.js';
import { KeyRing, keyInHash, type Shelf } from './key.js';
import { lacksSound, onStage, type Programme, stateAt, type Talk, textIn } from './model.js';
import { parsePrefs } from './prefs.js';
import { NETWORK, remedyOf, toProblem } from './problem.js';
import { delayOf, spread } from './retry.js';
import { parseRoute, pathOf, preferredLanguage } from './route.js';

describe('clock', () => {
  it('takes the middle of the round trip', () => {
    expect(estimateOf({ sent: 100, received: 140, server: 1_000_120 })).toEqual({
      offset: 1_000_000,
      doubt: 20,
    });
  });

  it('trusts the fastest answer', () => {
    const best = bestOf([
      { sent: 0, received: 400, server: 1_000_390 },
      { sent: 500, received: 510, server: 1_000_505 },
    ]);
    expect(best).toEqual({ offset: 1_000_000, doubt: 5 });
    expect(bestOf([])).toBeNull();
  });

  it('is not spoilt by a slow measurement, but follows one that contradicts it', () => {
    const good = { offset: 1_000, doubt: 5 };
    expect(merge(null, good)).toBe(good);
    expect(merge(good, { offset: 1_080, doubt: 90 }).offset).toBe(1_000);
    expect(merge(good, { offset: 3_000, doubt: 90 }).offset).toBe(3_000);
    expect(merge(good, { offset: 1_004, doubt: 6 }).offset).toBe(1_004);
  });

  it('says nothing before it is measured, and never asks the viewer’s clock', async () => {
    let monotonic = 0;
    const clock = new ServerClock({
      ask: async () => {
        monotonic += 10;
        return 5_000_000 + monotonic - 5;
      },
      monotonic: () => monotonic,
    });
    expect(clock.now()).toBeNaN();
    expect(await clock.measure()).toBe(true);
    monotonic += 1_000;
    expect(clock.now()).toBe(5_000_000 + monotonic);
  });

  it('stays unknown when the server does not answer', async () => {
    const clock = new ServerClock({ ask: () => Promise.reject(new Error('gone')), monotonic: () => 0 });
    expect(await clock.measure()).toBe(false);
    expect(clock.known).toBe(false);
  });
});

describe('retry', () => {
  it('grows to its bound, with jitter', () => {
    const low = [0, 1, 2, 9].map((n) => delayOf(n, { first: 1000, most: 10_000 }, () => 0));
    const high = [0, 1, 2, 9].map((n) => delayOf(n, { first: 1000, most: 10_000 }, () => 1));
    expect(low).toEqual([500, 1000, 2000, 5000]);
    expect(high).toEqual([1000, 2000, 4000, 10_000]);
    expect(spread(1500, () => 0.5)).toBe(750);
  });
});

describe('problems', () => {
  it('are read from problem+json', () => {
    const gone = toProblem(410, { code: 'gone', until: '2027-02-24T00:00:00Z' });
    expect(gone).toEqual({ status: 410, code: 'gone', until: Date.parse('2027-02-24T00:00:00Z') });
    expect(toProblem(401, { type: 'urn:reprise:problem:token-expired' }).code).toBe('token-expired');
    expect(toProblem(502, '<html>').code).toBe('http-502');
  });

  it('have a remedy each', () => {
    expect(remedyOf(NETWORK)).toBe('retry');
    expect(remedyOf({ status: 503, code: 'x', until: null })).toBe('retry');
    expect(remedyOf({ status: 429, code: 'x', until: null })).toBe('retry');
    expect(remedyOf({ status: 401, code: 'token-expired', until: null })).toBe('renew');
    expect(remedyOf({ status: 401, code: 'token-invalid', until: null })).toBe('stop');
    expect(remedyOf({ status: 404, code: 'not-yet', until: null })).toBe('wait');
    for (const status of [403, 404, 410]) {
      expect(remedyOf({ status, code: 'x', until: null })).toBe('stop');
    }
  });
});

describe('routes', () => {
  it('are read and written', () => {
    const desk = ['/en/desk', '/fr/desk/recordings', '/en/desk/recordings/01a2-b', '/fr/desk/hand-ins'];
    for (const path of ['/fr', '/en/a/main', '/fr/t/t1', '/en/hand-in', ...desk]) {
      const { language, room } = parseRoute(path);
      expect(pathOf(language ?? 'fr', room)).toBe(path);
    }
    expect(parseRoute('/')).toEqual({ language: null, room: { name: 'programme' } });
    for (const path of [
      '/de/a/main',
      '/fr/a',
      '/fr/a/MAIN',
      '/fr/x/1',
      '/fr/a/main/more',
      '/fr/desk/x',
      '/fr/desk/recordings/a/b',
      '/fr/desk/recordings/A',
      '/fr/hand-in/x',
    ]) {
      expect(parseRoute(path).room.name, path).toBe('nowhere');
    }
  });

  it('take the first language of the browser that we speak', () => {
    expect(preferredLanguage(['de-DE', 'fr-CA', 'en'])).toBe('fr');
    expect(preferredLanguage(['EN-gb'])).toBe('en');
    expect(preferredLanguage(['ja'])).toBe('en');
  });
});

describe('keys', () => {
  const shelf = (): Shelf => {
    const m = new Map<string, string>();
    return {
      getItem: (k) => m.get(k) ?? null,
      setItem: (k, v) => void m.set(k, v),
      removeItem: (k) => void m.delete(k),
    };
  };

  it('are read from the hash', () => {
    expect(keyInHash('#k=a.b-c')).toBe('a.b-c');
    expect(keyInHash('#k=')).toBeNull();
    expect(keyInHash('#content')).toBeNull();
  });

  it('are kept by place, whatever its language; elsewhere the last one serves', () => {
    const keys = new KeyRing(shelf(), shelf());
    keys.keep('/fr/a/main', 'room');
    keys.keep('/fr/t/one', 'talk');
    expect(keys.find('/en/a/main')).toBe('room');
    expect(keys.find('/fr/t/one')).toBe('talk');
    expect(keys.find('/fr')).toBe('talk');
  });

  it('of the desk open all its rooms; those of speakers open their page and nothing else', () => {
    const keys = new KeyRing(shelf(), shelf());
    keys.keep('/fr/desk', 'desk');
    expect(keys.find('/fr/hand-in')).toBeNull();
    keys.keep('/fr/hand-in', 'speaker');
    keys.keep('/en/a/main', 'room');
    expect(keys.find('/en/desk/recordings/x')).toBe('desk');
    expect(keys.find('/en/hand-in')).toBe('speaker');
    expect(keys.find('/fr')).toBe('room');
  });

  it('survive the tab, and a browser that keeps nothing', () => {
    const browser = shelf();
    new KeyRing(shelf(), browser).keep('/fr/a/main', 'room');
    expect(new KeyRing(shelf(), browser).find('/fr/a/main')).toBe('room');
    const broken: Shelf = {
      getItem: () => {
        throw new Error('forbidden');
      },
      setItem: () => {
        throw new Error('forbidden');
      },
      removeItem: () => {},
    };
    const none = new KeyRing(broken, null);
    none.keep('/fr/a/main', 'room');
    expect(none.find('/fr/a/main')).toBeNull();
  });
});

describe('preferences', () => {
  it('are checked when they are read', () => {
    expect(parsePrefs(null)).toEqual({
      language: null,
      captions: false,
      quality: null,
      volume: 1,
      muted: false,
    });
    expect(parsePrefs('{"language":"fr","captions":true,"quality":720,"volume":0.4}')).toMatchObject({
      language: 'fr',
      captions: true,
      quality: 720,
      volume: 0.4,
    });
    expect(parsePrefs('{"language":"xx","volume":9,"quality":"big"}')).toMatchObject({
      language: null,
      volume: 1,
      quality: null,
    });
    expect(parsePrefs('not json').captions).toBe(false);
  });
});

describe('programme', () => {
  const at = Date.parse('2026-11-23T13:00:00Z');
  const talk = (id: string, starts: number, ends: number): Talk => ({
    id,
    auditorium: 'main',
    title: { fr: id },
    abstract: {},
    speakers: [],
    spoken: 'fr',
    state: 'scheduled',
    airings: { fr: { starts, ends } },
    sounds: ['fr'],
    captions: [],
    shared: true,
  });
  const p: Programme = {
    asOf: 0,
    event: { id: 'e', title: {}, languages: ['fr'], zone: 'Europe/Paris', replayUntil: at + 10_000 },
    auditoriums: [{ id: 'main', title: {}, opens: at - 1_000, closes: at + 9_000 }],
    talks: [talk('b', at + 2_000, at + 3_000), talk('a', at, at + 1_000), talk('c', at + 4_000, Number.NaN)],
  };
  const ids = (ms: number) => {
    const s = onStage(p, 'main', 'fr', ms);
    return [s.previous?.id, s.current?.id, s.next?.id];
  };

  it('tells what is in the picture at an instant', () => {
    expect(ids(at - 1)).toEqual([undefined, undefined, 'a']);
    expect(ids(at)).toEqual([undefined, 'a', 'b']);
    expect(ids(at + 1_000)).toEqual(['a', undefined, 'b']);
    // The third is not laid out: it is announced, but never believed to be on air.
    expect(ids(at + 5_000)).toEqual(['b', undefined, undefined]);
  });

  it('tells each talk’s state by the clock', () => {
    const a = p.talks[1] as Talk;
    const states = [at - 2_000, at - 500, at, at + 1_000, at + 10_000].map((ms) => stateAt(p, a, 'fr', ms));
    expect(states).toEqual(['scheduled', 'waiting', 'on-air', 'replay', 'ended']);
  });

  it('says what is missing in a language', () => {
    expect(lacksSound(p.talks[0] as Talk, 'en')).toBe(true);
    expect(lacksSound(p.talks[0] as Talk, 'fr')).toBe(false);
    expect(textIn({ fr: 'bonjour' }, 'en')).toBe('bonjour');
  });
});

describe('countdown', () => {
  it('counts whole seconds, up', () => {
    expect(secondsLeft(10_000, 9_800)).toBe(1);
    expect(secondsLeft(10_000, 10_001)).toBe(0);
    expect(split(90_061)).toEqual({ days: 1, hours: 1, minutes: 1, seconds: 1 });
    expect(position(3_723.9)).toBe('1:02:03');
    expect(position(63)).toBe('1:03');
  });

  it('knows when the viewer’s hour is the event’s', () => {
    const ms = Date.parse('2026-11-23T13:00:00Z');
    expect(sameHour(ms, 'Europe/Paris', 'Europe/Rome')).toBe(true);
    expect(sameHour(ms, 'Europe/Paris', 'Europe/London')).toBe(false);
  });
});
