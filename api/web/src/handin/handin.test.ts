import { describe, expect, it } from 'vitest';
import type { HandInPage } from '../intake/api.js';
import { shownOf } from '../intake/shown.js';
import { mediaOf, outlookOf, stepOf } from './view.js';

type Film = NonNullable<HandInPage['asset']>;
type Sent = NonNullable<HandInPage['upload']>;

const film = (over: Partial<Film> = {}): Film => ({
  id: 'a',
  state: 'ready',
  percent: 100,
  progress: { speed: 0, left_seconds: 0 },
  findings: [],
  name: 'n',
  size: 1,
  revision: 1,
  updated: '',
  ...over,
});
const upload = (state: Sent['state']): Sent => ({
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
const page = (over: Partial<HandInPage> = {}): HandInPage => ({
  event: { id: 'e', title: {}, zone: 'Europe/Paris' },
  talk: { id: 't', title: {}, speakers: [], auditorium: 'main', starts: '', slot: 0 },
  name: 'N',
  language: 'fr',
  languages: ['fr'],
  now: '',
  deadline: '',
  lock: '',
  open: true,
  terms: { version: '1', fr: '', en: '' },
  max_size: 0,
  ...over,
});

describe('where a speaker stands', () => {
  it('terms, then the choice, then the film', () => {
    expect(stepOf(page())).toBe('terms');
    expect(stepOf(page({ accepted: 'x' }))).toBe('choose');
    expect(stepOf(page({ accepted: 'x', upload: upload('open') }))).toBe('choose');
    expect(stepOf(page({ accepted: 'x', upload: upload('complete') }))).toBe('film');
    expect(stepOf(page({ accepted: 'x', asset: film(), upload: upload('open') }))).toBe('film');
  });

  it('too late for a first film, but not for one that is on its way', () => {
    expect(stepOf(page({ open: false }))).toBe('closed');
    expect(stepOf(page({ open: false, accepted: 'x', upload: upload('open') }))).toBe('choose');
    expect(stepOf(page({ open: false, asset: film() }))).toBe('film');
  });

  it('what becomes of the film', () => {
    const fatal = { code: 'x', fatal: true, fr: '', en: '' };
    expect(outlookOf(page({ upload: upload('complete') }))).toBe('taking');
    expect(outlookOf(page({ asset: film({ state: 'probing' }) }))).toBe('working');
    expect(outlookOf(page({ asset: film({ verdict: 'ready' }) }))).toBe('ready');
    expect(outlookOf(page({ asset: film({ verdict: 'remarks' }) }))).toBe('remarks');
    expect(outlookOf(page({ asset: film({ state: 'failed', findings: [fatal] }) }))).toBe('refused');
    expect(outlookOf(page({ asset: film({ state: 'failed' }) }))).toBe('failed');
    expect(outlookOf(page({ asset: film(), upload: upload('complete') }))).toBe('taking');
  });

  it('which film is shown while another takes its place', () => {
    const both = {
      url: '/p/x/preview/old/multivariant.m3u8',
      file: '/p/x/source/new/film.mp4',
      partial: false,
      expires_at: '',
    };
    const { file: _, ...old } = both;
    expect(shownOf(both, { state: 'ready', revision: 2 })).toEqual({ preview: both, old: false });
    expect(shownOf(both, { state: 'processing', revision: 0 })).toEqual({ preview: both, old: false });
    expect(shownOf(both, { state: 'processing', revision: 1 }).preview.url).toBeUndefined();
    expect(shownOf(old, { state: 'failed', revision: 1 })).toEqual({ preview: old, old: true });
  });

  it('which media a preview shows', () => {
    expect(mediaOf('/p/token/preview/abc/multivariant.m3u8')).toBe('abc');
    expect(mediaOf(undefined)).toBe('');
  });
});
