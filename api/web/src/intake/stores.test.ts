import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HandInsStore } from '../desk/handins/store.svelte.js';
import { RecordingStore } from '../desk/recording/store.svelte.js';
import { HandInStore } from '../handin/store.svelte.js';
import type { IntakeApi, Told } from './api.js';
import { NO_ANSWER, type Trouble } from './trouble.js';
import { WorkStore } from './work.svelte.js';

const ok = <T>(value: T): Told<T> => ({ ok: true, value });
const no = (status: number, code: string): Told<never> => ({
  ok: false,
  trouble: { ...NO_ANSWER, status, code, detail: 'Words.' } as Trouble,
});
const fake = (f: Partial<Record<keyof IntakeApi, (...a: never[]) => Promise<unknown>>>) =>
  f as unknown as IntakeApi;

// A machine with much to do answers late, and is right all the same.
vi.setConfig({ testTimeout: 30_000 });
const soon = (f: () => void) => vi.waitFor(f, { timeout: 20_000 });

/** A stream of events that the test writes. */
class Line {
  #out: ReadableStreamDefaultController<Uint8Array> | null = null;
  readonly answer = new Response(
    new ReadableStream<Uint8Array>({
      start: (c) => {
        this.#out = c;
      },
    }),
  );
  say(event: string, data: unknown) {
    this.#out?.enqueue(new TextEncoder().encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
  }
}

let line: Line;
beforeEach(() => {
  line = new Line();
  vi.stubGlobal(
    'fetch',
    vi.fn(async () => line.answer),
  );
});
afterEach(() => {
  vi.unstubAllGlobals();
});

describe('what comes in', () => {
  const quota = { used: 5, limit: 10 };
  const api = () =>
    fake({
      uploads: vi.fn(async () => ok({ uploads: [], quota })),
      jobs: vi.fn(async () => ok([{ kind: 'process', state: 'running' }])),
    });

  it('is what the server tells, and nothing else', async () => {
    const work = new WorkStore(api(), 'k');
    expect(work.known).toBe(false);
    line.say('asset', { id: 'a', state: 'probing' });
    line.say('upload', { id: 'u', state: 'open' });
    line.say('all', { assets: ['a'], uploads: ['u'] });
    await soon(() => expect(work.known).toBe(true));
    line.say('asset', { id: 'a', state: 'ready' });
    line.say('gone', { kind: 'upload', id: 'u' });
    await soon(() => expect(work.uploads).toEqual([]));
    expect(work.asset('a')?.state).toBe('ready');
    await soon(() => expect(work.quota).toEqual(quota));
    expect(work.jobs).toHaveLength(1);
    work.close();
  });

  it('forgets, when it comes back, what is there no more', async () => {
    const work = new WorkStore(api(), 'k');
    line.say('asset', { id: 'a' });
    line.say('asset', { id: 'b' });
    line.say('all', { assets: ['b'], uploads: [] });
    await soon(() => expect(work.assets.map((a) => a.id)).toEqual(['b']));
    work.close();
  });

  it('is nothing without a key, and says so', () => {
    const work = new WorkStore(api(), null);
    expect(work.trouble?.code).toBe('token-missing');
    expect(fetch).not.toHaveBeenCalled();
  });
});

describe('a speaker’s page', () => {
  const page = { terms: { version: '1' } };

  it('is read again when something moves', async () => {
    const handIn = vi.fn(async () => ok({ ...page, n: handIn.mock.calls.length }));
    const store = new HandInStore(fake({ handIn }), 'k');
    await soon(() => expect(store.page).toMatchObject({ n: 1 }));
    line.say('asset', { id: 'a' });
    line.say('asset', { id: 'a' });
    await soon(() => expect(store.page).toMatchObject({ n: 2 }));
    store.close();
  });

  it('keeps what it shows while the server does not answer, and drops it when the link is withdrawn', async () => {
    const answers = [ok(page), { ok: false, trouble: NO_ANSWER }, no(410, 'hand-in-revoked')];
    const store = new HandInStore(
      fake({ handIn: async () => answers.shift() ?? no(410, 'hand-in-revoked') }),
      'k',
    );
    await soon(() => expect(store.page).not.toBeNull());
    store.refresh();
    await soon(() => expect(store.lost).toBe(true));
    expect(store.page).not.toBeNull();
    await soon(() => expect(store.page).toBeNull());
    expect(store.trouble?.code).toBe('hand-in-revoked');
    store.close();
  });

  it('accepts the terms that were read, and reads them again when they changed', async () => {
    const accept = vi.fn(async () => no(409, 'terms-changed'));
    const handIn = vi.fn(async () => ok(page));
    const store = new HandInStore(fake({ handIn, accept }), 'k');
    await soon(() => expect(store.page).not.toBeNull());
    await Promise.all([store.accept(), store.accept()]);
    expect(accept.mock.calls).toEqual([['1']]);
    await soon(() => expect(handIn).toHaveBeenCalledTimes(2));
    expect(store.trouble?.code).toBe('terms-changed');
    store.close();
  });
});

describe('a recording', () => {
  const asset = {
    id: 'a',
    talks: [{ talk: 't', languages: ['fr'] }],
    preview: true,
    media: 'm',
    source: { id: 's' },
  };
  const world = (over: Partial<Record<keyof IntakeApi, (...a: never[]) => Promise<unknown>>> = {}) =>
    fake({
      asset: vi.fn(async () => ok(asset)),
      report: async () => no(404, 'not-made-yet'),
      captions: async () => ok({ captions: [], command: false }),
      chapters: async () => ok({ chapters: [], origin: 'none', suggested: [], etag: 'x' }),
      film: async () => ok({ length: 3 }),
      preview: vi.fn(async () => ok({ url: 'u' })),
      media: async () => ok({ id: 'm' }),
      ...over,
    });

  it('has all of its parts; what is not made yet is no trouble', async () => {
    const store = new RecordingStore('a', world());
    await soon(() => expect(store.preview).not.toBeNull());
    expect(store.report).toBeNull();
    expect(store.trouble).toBeNull();
    expect(store.consequences).toEqual({ t: { length: 3 } });
    store.close();
  });

  it('asks for addresses anew only when they show something else', async () => {
    const api = world();
    const store = new RecordingStore('a', api);
    await soon(() => expect(store.preview).not.toBeNull());
    store.refresh();
    await soon(() => expect(api.asset).toHaveBeenCalledTimes(2));
    await Promise.resolve();
    expect(api.preview).toHaveBeenCalledTimes(1);
    store.close();
  });

  it('makes one change at a time, says what is made, and why not', async () => {
    const store = new RecordingStore('a', world());
    await soon(() => expect(store.preview).not.toBeNull());
    const ask = vi.fn(async () => ok('made'));
    const [first, second] = await Promise.all([store.change(ask, 'Said.'), store.change(ask, 'Said.')]);
    expect([first, second, ask.mock.calls.length]).toEqual(['made', null, 1]);
    expect(store.said).toBe('Said.');
    expect(await store.change(async () => no(412, 'changed-meanwhile'), 'Said.')).toBeNull();
    expect([store.said, store.trouble?.code, store.busy]).toEqual(['', 'changed-meanwhile', false]);
    store.close();
  });

  it('that is not there is refused', async () => {
    const store = new RecordingStore('a', world({ asset: async () => no(404, 'not-found') }));
    await soon(() => expect(store.refused?.code).toBe('not-found'));
    store.close();
  });
});

describe('invitations', () => {
  it('are listed newest first', async () => {
    const store = new HandInsStore(
      fake({ handIns: async () => ok({ hand_ins: [{ id: '1' }, { id: '2' }], mail: true }) }),
    );
    await soon(() => expect(store.list?.map((h) => h.id)).toEqual(['2', '1']));
    expect(store.mail).toBe(true);
    store.close();
  });

  it('that are not for this person say so', async () => {
    const store = new HandInsStore(fake({ handIns: async () => no(403, 'staff-only') }));
    await soon(() => expect(store.trouble?.code).toBe('staff-only'));
    store.close();
  });
});
