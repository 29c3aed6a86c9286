import { describe, expect, it } from 'vitest';
import type { Asset, Consequence, HandIn, Upload } from '../intake/api.js';
import type { Programme, Talk } from '../lib/model.js';
import { stateOf } from './handins/view.js';
import { instantIn, localIn } from './handins/zone.js';
import {
  chapterAt,
  codeOf,
  cuesOf,
  faultOf,
  fitOf,
  mayCancel,
  mayRetry,
  rowsOf,
  secondsOf,
  takenFrom,
} from './recording/view.js';
import { isMoving, missingOf, orderOf, uploadsToShow } from './recordings/view.js';

const asset = (id: string, over: Partial<Asset> = {}): Asset => ({
  id,
  title: id,
  state: 'ready',
  percent: 100,
  progress: { speed: 0, left_seconds: 0 },
  findings: [],
  source: { id: `s-${id}`, name: `${id}.mp4`, size: 1, sha256: '', by: '' },
  revision: 1,
  preview: true,
  created: '2026-11-01T00:00:00Z',
  updated: '2026-11-01T00:00:00Z',
  talks: [],
  ...over,
});

const talk = (id: string, starts: number, state: Talk['state'] = 'scheduled'): Talk => ({
  id,
  auditorium: 'main',
  title: { fr: id },
  abstract: {},
  speakers: [],
  spoken: 'fr',
  state,
  airings: { fr: { starts, ends: starts + 60 }, en: { starts: starts + 5, ends: starts + 60 } },
  sounds: [],
  captions: [],
  shared: false,
});

const programme = (...talks: Talk[]): Programme => ({
  asOf: 0,
  event: { id: 'e', title: {}, languages: ['fr', 'en'], zone: 'Europe/Paris', replayUntil: null },
  auditoriums: [],
  talks,
});
const shows = (id: string, ...languages: string[]) => [{ event: 'e', talk: id, languages }];

describe('recordings', () => {
  it('lists what is missing by hour, and leaves out what is over', () => {
    const p = programme(
      talk('late', 300),
      talk('early', 100),
      talk('half', 200),
      talk('full', 50),
      talk('over', 1, 'replay'),
    );
    const assets = [
      asset('a', { talks: shows('half', 'fr') }),
      asset('b', { talks: shows('full', 'fr', 'en') }),
    ];
    expect(missingOf(p, assets).map((m) => [m.talk.id, m.languages, m.instead, m.starts])).toEqual([
      ['early', ['fr', 'en'], [], 100],
      ['half', ['en'], ['fr'], 200],
      ['late', ['fr', 'en'], [], 300],
    ]);
  });

  it('puts first what needs somebody, then what is at work, then films by hour', () => {
    const p = programme(talk('one', 100), talk('two', 200));
    const assets = [
      asset('none'),
      asset('second', { talks: shows('two', 'fr') }),
      asset('first', { talks: shows('one', 'fr') }),
      asset('working', { state: 'processing' }),
      asset('failed', { state: 'failed' }),
    ];
    expect(orderOf(assets, p).map((a) => a.id)).toEqual(['failed', 'working', 'first', 'second', 'none']);
    expect(orderOf(assets, null)).toHaveLength(5);
  });

  it('shows uploads that are not from here, and grief for a day', () => {
    const now = Date.parse('2026-11-24T12:00:00Z');
    const upload = (id: string, over: Partial<Upload>): Upload => ({
      id,
      state: 'open',
      name: id,
      size: 10,
      offset: 0,
      languages: [],
      by: '',
      created: '',
      touched: '2026-11-24T11:59:50Z',
      ...over,
    });
    const list = [
      upload('open', {}),
      upload('here', {}),
      upload('complete', { state: 'complete' }),
      upload('taken', { state: 'taken' }),
      upload('refused', { state: 'refused', reason: 'checksum' }),
      upload('old', { state: 'refused', reason: 'checksum', touched: '2026-11-20T00:00:00Z' }),
      upload('cancelled', { state: 'refused', reason: 'cancelled' }),
    ];
    expect(uploadsToShow(list, new Set(['here']), now).map((u) => u.id)).toEqual([
      'open',
      'complete',
      'refused',
    ]);
    expect(isMoving(upload('x', {}), now)).toBe(true);
    expect(isMoving(upload('x', { touched: '2026-11-24T11:59:00Z' }), now)).toBe(false);
  });
});

describe('a recording', () => {
  it.each([
    ['63', 63],
    ['2:03', 123],
    ['1:02:03.5', 3723.5],
    ['0:03,250', 3.25],
    [' 1:00 ', 60],
    ['1:60', Number.NaN],
    ['1:75:00', Number.NaN],
    ['-1', Number.NaN],
    ['1:2:3:4', Number.NaN],
    ['', Number.NaN],
  ])('reads %s', (text, seconds) => {
    expect(secondsOf(text)).toBe(seconds);
  });

  it('writes what it reads', () => {
    for (const s of [0, 0.001, 59.999, 60, 3599.5, 3600, 36_000.123])
      expect(secondsOf(codeOf(s))).toBeCloseTo(s, 3);
    expect(codeOf(3723.5)).toBe('1:02:03.500');
  });

  it('edits cues without losing what it does not show', () => {
    const cues = [
      { start: 2, end: 3, text: 'b', settings: 'line:90%' },
      { id: 'x', start: 0.5, end: 1, text: 'a' },
    ];
    expect(cuesOf(rowsOf(cues))).toEqual([cues[1], cues[0]]);
  });

  it('names the fault of a cue', () => {
    const row = { key: 1, id: '', start: '1', end: '2', text: 'x', settings: '' };
    expect(faultOf(row)).toBeNull();
    expect(faultOf({ ...row, start: 'soon' })).toBe('start');
    expect(faultOf({ ...row, end: '' })).toBe('end');
    expect(faultOf({ ...row, end: '1' })).toBe('order');
    expect(faultOf({ ...row, text: ' ' })).toBe('text');
  });

  it('finds the chapter of an instant', () => {
    const chapters = [
      { start: 5, title: 'a' },
      { start: 10, title: 'b' },
    ];
    expect([0, 5, 9.9, 100].map((s) => chapterAt(chapters, s))).toEqual([-1, 0, 0, 1]);
  });

  it('says whether it fits its slot', () => {
    const c = (length: number, slot: number, pushes: string[] = []): Consequence => ({
      starts: '',
      ends: '',
      slot,
      length,
      overrun: length - slot,
      pushes,
      delays: {},
      begun: false,
      films: {},
    });
    expect(fitOf(c(0, 60))).toBe('unknown');
    expect(fitOf(c(60, 0))).toBe('unknown');
    expect(fitOf(c(61, 60))).toBe('fits');
    expect(fitOf(c(61, 60, ['next']))).toBe('long');
    expect(fitOf(c(120, 60))).toBe('long');
    expect(fitOf(c(20, 60))).toBe('short');
  });

  it('says which films it takes the place of', () => {
    const all = [asset('a', { talks: shows('t', 'fr') }), asset('b', { talks: shows('t', 'en') })];
    expect(takenFrom('t', ['fr', 'en'], 'a', all)).toEqual(['en']);
    expect(takenFrom('other', ['fr', 'en'], 'a', all)).toEqual([]);
  });

  it('offers to stop what is under way, and to try again what came to grief', () => {
    const job = (state: 'running' | 'done' | 'waiting' | 'given-up') => ({
      kind: 'process',
      state,
      attempt: 1,
      failures: [],
    });
    expect([
      mayCancel(asset('a', { job: job('running') })),
      mayRetry(asset('a', { job: job('running') })),
    ]).toEqual([true, false]);
    expect([mayCancel(asset('a', { job: job('done') })), mayRetry(asset('a', { job: job('done') }))]).toEqual(
      [false, false],
    );
    expect([
      mayCancel(asset('a', { job: job('waiting') })),
      mayRetry(asset('a', { job: job('waiting') })),
    ]).toEqual([true, true]);
    expect(mayRetry(asset('a', { state: 'failed' }))).toBe(true);
  });
});

describe('hand-ins', () => {
  const h = (over: Partial<HandIn> = {}): HandIn => ({
    id: 'h',
    talk: 't',
    languages: [],
    name: 'N',
    email: '',
    language: 'fr',
    deadline: '2026-12-01T00:00:00Z',
    lock: '2026-12-01T00:00:00Z',
    organizer: '',
    message: '',
    created: '2026-11-01T00:00:00Z',
    open: true,
    uploads: [],
    ...over,
  });
  const up = (state: Upload['state']): Upload => ({
    id: 'u',
    state,
    name: 'n',
    size: 1,
    offset: 0,
    languages: [],
    by: '',
    created: '',
    touched: '',
  });
  const before = Date.parse('2026-11-20T00:00:00Z');

  it.each([
    ['unopened', h(), undefined, before],
    ['accepted', h({ accepted: '2026-11-10T00:00:00Z' }), undefined, before],
    ['late', h({ accepted: '2026-11-10T00:00:00Z' }), undefined, Date.parse('2026-12-02T00:00:00Z')],
    ['sending', h({ uploads: [up('open')] }), undefined, before],
    ['working', h({ uploads: [up('complete')] }), undefined, before],
    ['working', h({ uploads: [up('taken')], asset: 'a' }), asset('a', { state: 'processing' }), before],
    ['ready', h({ uploads: [up('taken')], asset: 'a' }), asset('a'), before],
    ['refused', h({ uploads: [up('taken')], asset: 'a' }), asset('a', { state: 'failed' }), before],
    ['revoked', h({ revoked: '2026-11-10T00:00:00Z', asset: 'a' }), asset('a'), before],
  ] as const)('%s', (state, handIn, film, now) => {
    expect(stateOf(handIn, film, now)).toBe(state);
  });

  it('write hours in the event’s zone', () => {
    const at = Date.parse('2026-11-24T18:00:00Z');
    expect(localIn(at, 'Europe/Paris')).toBe('2026-11-24T19:00');
    expect(instantIn('2026-11-24T19:00', 'Europe/Paris')).toBe(at);
    expect(instantIn('2026-07-01T09:30', 'America/New_York')).toBe(Date.parse('2026-07-01T13:30:00Z'));
    expect(instantIn('2026-11-24T19:00', 'Asia/Kolkata')).toBe(Date.parse('2026-11-24T13:30:00Z'));
    expect(instantIn('', 'Europe/Paris')).toBeNaN();
  });

  it('take the first of an hour that comes twice, and move one that does not exist', () => {
    expect(instantIn('2026-10-25T02:30', 'Europe/Paris')).toBe(Date.parse('2026-10-25T00:30:00Z'));
    expect(instantIn('2026-03-29T02:30', 'Europe/Paris')).toBe(Date.parse('2026-03-29T01:30:00Z'));
  });
});
