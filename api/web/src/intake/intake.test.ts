import { describe, expect, it, vi } from 'vitest';
import type { Talk } from '../lib/model.js';
import { Feed, type FeedDeps } from './feed.js';
import { guess, wordsIn } from './guess.js';
import { isFinal, isNews, isSameFile, leftOf, nextTry, Pace } from './sending.js';
import { EventParser } from './sse.js';
import { NO_ANSWER, parseTrouble, type Trouble, toTrouble } from './trouble.js';
import { placed } from './work.svelte.js';

const talk = (id: string, fr: string, en: string, ...speakers: string[]): Talk => ({
  id,
  auditorium: 'main',
  title: { fr, en },
  abstract: {},
  speakers,
  spoken: 'fr',
  state: 'scheduled',
  airings: {},
  sounds: [],
  captions: [],
  shared: false,
});

const talks = [
  talk('opening', 'Ouverture', 'Opening words', 'Camille Moreau'),
  talk('memoire', 'La mémoire d’une conférence', 'The memory of a conference', 'Lucien Faure'),
  talk('two-rooms', 'Deux salles', 'Two rooms', 'Zoë Müller', 'Camille Moreau'),
];
const both = ['fr', 'en'];

describe('what a file is for', () => {
  it.each([
    ['opening.mp4', 'opening', []],
    ['OPENING_EN_final.mov', 'opening', ['en']],
    ['2026-11 Faure VF.mkv', 'memoire', ['fr']],
    ['Mémoire.fr-en.mp4', 'memoire', []],
    ['memoire anglais.mp4', 'memoire', ['en']],
    ['two_rooms_Muller.mp4', 'two-rooms', []],
    ['Two.mp4', null, []],
    ['moreau.mp4', null, []],
    ['IMG_0042.MOV', null, []],
    ['french.mp4', null, ['fr']],
    ['', null, []],
  ])('%s', (name, id, languages) => {
    expect(guess(name, talks, both)).toEqual({ talk: id, languages });
  });

  it('is read without accents, capitals and signs', () => {
    expect(wordsIn('Étude_(Finale) 2')).toEqual(['etude', 'finale', '2']);
    expect(wordsIn('Mémoire')).toEqual(['memoire']);
  });

  it('is no language that the event does not have', () => {
    expect(guess('opening-en.mp4', talks, ['fr']).languages).toEqual([]);
  });
});

describe('what the server refuses', () => {
  const trouble = (status: number, code = `http-${status}`): Trouble => ({ ...NO_ANSWER, status, code });

  it.each([
    [trouble(0, 'network'), false],
    [trouble(423, 'upload-locked'), false],
    [trouble(409, 'upload-offset'), false],
    [trouble(409, 'upload-taken'), true],
    [trouble(429), false],
    [trouble(429, 'upload-too-many'), true],
    [trouble(500), false],
    [trouble(503, 'upload-interrupted'), false],
    [trouble(401, 'token-expired'), true],
    [trouble(403, 'terms-not-accepted'), true],
    [trouble(410, 'hand-in-closed'), true],
    [trouble(413, 'upload-quota'), true],
    [trouble(460, 'upload-checksum'), true],
  ])('%o: final is %s', (t, final) => {
    expect(isFinal(t)).toBe(final);
    expect(nextTry(t, 0) === null).toBe(final);
  });

  it('is tried again later and later, never later than half a minute', () => {
    const most = () => 1;
    expect(nextTry(NO_ANSWER, 0, most)).toBe(1_000);
    expect(nextTry(NO_ANSWER, 3, most)).toBe(8_000);
    expect(nextTry(NO_ANSWER, 40, most)).toBe(30_000);
  });

  it('keeps the server’s words and faults', () => {
    const body = {
      code: 'upload-quota',
      detail: 'Plein.',
      errors: [{ location: 'body.x', message: 'non' }, null],
    };
    const t = toTrouble(413, body);
    expect(t).toMatchObject({ status: 413, code: 'upload-quota', detail: 'Plein.' });
    expect(t.faults).toEqual([
      { location: 'body.x', message: 'non' },
      { location: '', message: '' },
    ]);
    expect(parseTrouble(502, '<html>')).toMatchObject({ status: 502, code: 'http-502', detail: '' });
    expect(parseTrouble(0, '')).toBe(NO_ANSWER);
  });
});

describe('how it gets on', () => {
  it('has a pace over the last seconds only', () => {
    const pace = new Pace();
    expect(pace.add(0, 0)).toBe(0);
    expect(pace.add(1_000, 500)).toBe(500);
    for (let s = 2; s <= 20; s++) pace.add(s * 1_000, 500 + s * 1_000);
    expect(pace.add(21_000, 500 + 21_000)).toBe(1_000);
  });

  it('starts again when bytes have to be sent again', () => {
    const pace = new Pace();
    pace.add(0, 0);
    pace.add(2_000, 4_000);
    expect(pace.add(3_000, 1_000)).toBe(0);
  });

  it('says how long it takes only when it is known', () => {
    expect(leftOf({ size: 100, sent: 40, speed: 20 })).toBe(3);
    expect(leftOf({ size: 100, sent: 40, speed: 0 })).toBeNull();
  });

  it('is said out loud at each quarter, and when something else begins', () => {
    expect(isNews(null, { phase: 'sending', part: 0 })).toBe(true);
    expect(isNews({ phase: 'sending', part: 0.01 }, { phase: 'sending', part: 0.2 })).toBe(false);
    expect(isNews({ phase: 'sending', part: 0.2 }, { phase: 'sending', part: 0.26 })).toBe(true);
    expect(isNews({ phase: 'sending', part: 0.3 }, { phase: 'paused', part: 0.3 })).toBe(true);
  });

  it('knows the file again by size and name', () => {
    const upload = { name: 'Ma vidéo 1.mp4', size: 10 };
    expect(isSameFile({ name: 'Ma vidéo  1.mp4'.normalize('NFD'), size: 10 }, upload)).toBe(true);
    expect(isSameFile({ name: 'Ma vidéo 1.mp4', size: 11 }, upload)).toBe(false);
    expect(isSameFile({ name: 'autre.mp4', size: 10 }, upload)).toBe(false);
  });

  it('keeps its place in a list', () => {
    const list = [{ id: 'a' }, { id: 'b' }];
    expect(placed(list, { id: 'a', n: 1 } as { id: string })).toEqual([{ id: 'a', n: 1 }, { id: 'b' }]);
    expect(placed(list, { id: 'c' }).map((x) => x.id)).toEqual(['a', 'b', 'c']);
  });
});

describe('the stream of events', () => {
  const text =
    'retry: 2000\n\n: all is well\n\nid: 7\nevent: asset\ndata: {"a":\ndata: 1}\n\ndata: x\r\n\r\n';

  it.each([1, 3, 7, 1000])('is read in pieces of %i characters', (size) => {
    const parser = new EventParser();
    const events = [];
    for (let i = 0; i < text.length; i += size) events.push(...parser.push(text.slice(i, i + size)));
    expect(events).toEqual([
      { event: 'asset', data: '{"a":\n1}' },
      { event: 'message', data: 'x' },
    ]);
    expect(parser.id).toBe('7');
    expect(parser.retry).toBe(2000);
  });

  const stream = (body: string) => new Response(new Blob([body]).stream(), { status: 200 });

  function world(answers: (() => Response | Promise<Response>)[]) {
    const asked: RequestInit[] = [];
    const told: string[] = [];
    const waits: number[] = [];
    const deps: FeedDeps = {
      fetch: (async (_: string, init: RequestInit) => {
        asked.push(init);
        const next = answers.shift();
        if (next === undefined) throw new TypeError('network');
        return next();
      }) as unknown as typeof fetch,
      tell: (e) => told.push(e.data),
      line: vi.fn(),
      refused: vi.fn(),
      wait: async (ms) => {
        waits.push(ms);
        if (waits.length === 3) feed.close();
      },
    };
    const feed = new Feed('k', deps);
    return { feed, asked, told, waits, deps };
  }

  it('goes on after the last event that was heard, with the person’s key', async () => {
    const w = world([() => stream('retry: 50\nid: 41\ndata: 1\n\n'), () => stream('id: 42\ndata: 2\n\n')]);
    await w.feed.run();
    expect(w.told).toEqual(['1', '2']);
    expect(w.asked.map((a) => (a.headers as Record<string, string>)['Last-Event-ID'])).toEqual([
      undefined,
      '41',
      '42',
    ]);
    expect(w.asked[0]?.headers).toMatchObject({ Authorization: 'Bearer k' });
    expect(w.waits[0]).toBe(50);
    expect(w.deps.line).toHaveBeenCalledWith(false);
  });

  it('waits longer while nobody answers', async () => {
    const w = world([]);
    await w.feed.run();
    expect(w.waits).toHaveLength(3);
    expect(w.waits[2]).toBeGreaterThan(w.waits[0] as number);
  });

  it('ends when the server says no', async () => {
    const no = () => new Response(JSON.stringify({ code: 'staff-only', detail: 'Non.' }), { status: 403 });
    const w = world([no]);
    await w.feed.run();
    expect(w.deps.refused).toHaveBeenCalledWith(
      expect.objectContaining({ code: 'staff-only', detail: 'Non.' }),
    );
    expect(w.waits).toEqual([]);
  });
});
