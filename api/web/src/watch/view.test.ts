import { describe, expect, it } from 'vitest';
import type { Programme, Talk } from '../lib/model.js';
import { commandOf, type Press } from './keys.js';
import { initial, type State } from './machine.js';
import { nearestRung } from './player/hls.js';
import { interludeOf, statusOf, subjectOf, wordsOf } from './view.js';

const AT = Date.parse('2026-11-23T13:00:00Z');

const talk: Talk = {
  id: 'one',
  auditorium: 'main',
  title: { fr: 'Un' },
  abstract: {},
  speakers: [],
  spoken: 'fr',
  state: 'scheduled',
  airings: { fr: { starts: AT, ends: AT + 60_000 }, en: { starts: AT, ends: AT + 60_000 } },
  sounds: ['fr'],
  captions: [],
  shared: true,
};
const programme: Programme = {
  asOf: 0,
  event: { id: 'e', title: {}, languages: ['fr', 'en'], zone: 'Europe/Paris', replayUntil: null },
  auditoriums: [{ id: 'main', title: {}, opens: AT - 60_000, closes: AT + 120_000 }],
  talks: [talk],
};
const page = (s: Partial<State> = {}): State => ({
  ...initial({ kind: 'auditorium', id: 'main' }, 'fr'),
  programme,
  phase: 'playing',
  ...s,
});

describe('the interlude', () => {
  it('counts down to the frame itself, not to the clock alone', () => {
    expect(interludeOf(page(), AT - 1)).toMatchObject({ is: 'countdown', until: AT });
    expect(interludeOf(page(), AT)).toBeNull();
  });

  it('thanks after the last talk and says when the doors are closed', () => {
    expect(interludeOf(page(), AT + 60_000)).toEqual({ is: 'thanks' });
    expect(interludeOf(page(), AT + 120_000)).toEqual({ is: 'closed' });
    expect(interludeOf(page({ phase: 'over' }), AT + 60_000)).toEqual({ is: 'closed' });
  });

  it('does not cover a replay, a refusal or an unknown hour', () => {
    const replay = page({ target: { kind: 'talk', id: 'one' } });
    const grant = { url: 'x', view: 'replay', state: 'replay', language: 'fr' } as NonNullable<
      State['grant']
    >;
    expect(interludeOf({ ...replay, grant }, AT - 1)).toBeNull();
    expect(interludeOf(page({ phase: 'refused' }), AT - 1)).toBeNull();
    expect(interludeOf(page(), Number.NaN)).toBeNull();
  });
});

describe('words', () => {
  it('are about the talk on air, the next one, the last one', () => {
    for (const at of [AT - 1, AT, AT + 90_000]) expect(subjectOf(page(), at)?.id).toBe('one');
    expect(subjectOf(page({ target: { kind: 'talk', id: 'nobody' } }), AT)).toBeNull();
  });

  it('say what happens, one thing at a time', () => {
    expect(statusOf(page(), true)).toBeNull();
    expect(statusOf(page(), false)).toBe('watch.lost.offline');
    expect(statusOf(page({ link: 'lost', phase: 'ending' }), true)).toBe('watch.lost');
    expect(statusOf(page({ phase: 'ending' }), true)).toBe('watch.ending');
  });

  it('explain a refusal', () => {
    const p = (status: number, code = 'x', until: number | null = null) => ({ status, code, until });
    expect(wordsOf(p(401), false)).toBe('refused.nokey');
    expect(wordsOf(p(401, 'token-expired'), true)).toBe('refused.expired');
    expect(wordsOf(p(401, 'token-invalid'), true)).toBe('refused.invalid');
    expect(wordsOf(p(403), true)).toBe('refused.forbidden');
    expect(wordsOf(p(404), true)).toBe('refused.unknown');
    expect(wordsOf(p(410), true)).toBe('refused.gone');
    expect(wordsOf(p(410, 'gone', AT), true)).toBe('refused.gone.date');
    expect(wordsOf(p(418), true)).toBe('refused.other');
  });
});

describe('keyboard', () => {
  const press = (key: string, focus: Press['focus'] = 'page', extra: Partial<Press> = {}) =>
    commandOf({ key, focus, ctrlKey: false, metaKey: false, altKey: false, ...extra });

  it('has the keys that people know', () => {
    expect(press(' ')).toEqual({ do: 'toggle' });
    expect(press('K')).toEqual({ do: 'toggle' });
    expect(press('j')).toEqual({ do: 'skip', seconds: -10 });
    expect(press('ArrowRight')).toEqual({ do: 'skip', seconds: 5 });
    expect(press('7')).toEqual({ do: 'percent', percent: 70 });
    expect(press('?')).toEqual({ do: 'help' });
    expect(press('x')).toBeNull();
    expect(press('constructor')).toBeNull();
  });

  it('leaves the browser and focused things their own', () => {
    expect(press('f', 'page', { ctrlKey: true })).toBeNull();
    expect(press(' ', 'button')).toBeNull();
    expect(press('k', 'button')).toEqual({ do: 'toggle' });
    expect(press('ArrowLeft', 'field')).toBeNull();
  });
});

describe('quality', () => {
  it('takes the nearest rung that is not taller', () => {
    const levels = [{ height: 540 }, { height: 1080 }, { height: 234 }];
    expect(nearestRung(levels, 720)).toBe(0);
    expect(nearestRung(levels, 1080)).toBe(1);
    expect(nearestRung(levels, 100)).toBe(0);
  });
});
