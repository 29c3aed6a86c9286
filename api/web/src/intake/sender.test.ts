import type { Upload as TusUpload, UploadOptions } from 'tus-js-client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Upload } from './api.js';
import { Sender } from './sender.svelte.js';

/** A server and a line that do what the test says. */
class FakeTus {
  static made: FakeTus[] = [];
  static earlier: { uploadUrl: string }[] = [];
  url: string | null;
  starts = 0;
  aborts = 0;
  readonly file: File;
  readonly options: UploadOptions;
  constructor(file: File, options: UploadOptions) {
    this.file = file;
    this.options = options;
    this.url = options.uploadUrl ?? null;
    FakeTus.made.push(this);
  }
  start() {
    this.starts++;
  }
  async abort() {
    this.aborts++;
  }
  async findPreviousUploads() {
    return FakeTus.earlier;
  }
  resumeFromPreviousUpload(u: { uploadUrl: string }) {
    this.url = u.uploadUrl;
  }
  named(id: string) {
    this.url = `http://here/api/v1/uploads/${id}`;
    this.options.onUploadUrlAvailable?.();
  }
  fail(status: number, code = '') {
    const answer = { getStatus: () => status, getBody: () => JSON.stringify({ code, detail: 'Words.' }) };
    const error = Object.assign(new Error(), { originalResponse: status === 0 ? null : answer });
    this.options.onError?.(error as never);
  }
}

const film = (name = 'film.mp4', size = 100) =>
  new File([new Uint8Array(size)], name, { type: 'video/mp4', lastModified: 5 });
const order = { talk: 'opening', languages: ['en'], asset: null };
const open = (over: Partial<Upload> = {}): Upload => ({
  id: 'up1',
  state: 'open',
  name: 'film.mp4',
  size: 100,
  offset: 40,
  talk: 'opening',
  languages: ['en'],
  by: '',
  created: '',
  touched: '',
  ...over,
});

describe('sender', () => {
  let sender: Sender;
  let now = 0;
  const sent = vi.fn();
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal('location', { origin: 'http://here' });
    FakeTus.made = [];
    FakeTus.earlier = [];
    sent.mockClear();
    now = 0;
    sender = new Sender({
      key: 'k',
      load: async () => ({ Upload: FakeTus as unknown as typeof TusUpload }),
      now: () => now,
      sent,
    });
  });
  afterEach(() => {
    sender.close();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  const settle = () => vi.advanceTimersByTimeAsync(0);
  const last = () => FakeTus.made.at(-1) as FakeTus;

  it('says what the file is for, with the key', async () => {
    const s = sender.send(film(), order);
    await settle();
    expect(last().options.metadata).toMatchObject({
      filename: 'film.mp4',
      talk: 'opening',
      languages: 'en',
      language: 'en',
    });
    expect(last().options.headers).toEqual({ Authorization: 'Bearer k' });
    expect(last().starts).toBe(1);
    last().named('up9');
    expect(sender.get(s.id)?.upload).toBe('up9');
    expect(sender.has('up9')).toBe(true);
    expect(sender.busy).toBe(true);
  });

  it('is complete only when the server says so', async () => {
    const { id } = sender.send(film(), order);
    await settle();
    last().options.onProgress?.(100, 100);
    expect(sender.get(id)?.phase).toBe('sending');
    last().options.onSuccess?.({ lastResponse: {} as never });
    expect(sender.get(id)?.phase).toBe('sent');
    expect(sent).toHaveBeenCalledOnce();
    expect(sender.busy).toBe(false);
  });

  it('sends two at once, the next when one is done', async () => {
    const ids = ['a', 'b', 'c'].map((n) => sender.send(film(n), order).id);
    await settle();
    expect(ids.map((id) => sender.get(id)?.phase)).toEqual(['sending', 'sending', 'queued']);
    FakeTus.made[0]?.options.onSuccess?.({ lastResponse: {} as never });
    await settle();
    expect(sender.get(ids[2] as string)?.phase).toBe('sending');
  });

  it('goes on by itself when the line comes back', async () => {
    const { id } = sender.send(film(), order);
    await settle();
    last().options.onProgress?.(30, 100);
    last().fail(0);
    await settle();
    expect(sender.get(id)?.phase).toBe('waiting');
    expect(sender.get(id)?.sent).toBe(30);
    await vi.advanceTimersByTimeAsync(1_100);
    expect(last().starts).toBe(2);
    expect(FakeTus.made).toHaveLength(1);
  });

  it('stops with words when the server says no, and begins anew when asked to', async () => {
    const { id } = sender.send(film(), order);
    await settle();
    last().fail(413, 'upload-quota');
    expect(sender.get(id)).toMatchObject({
      phase: 'refused',
      trouble: { code: 'upload-quota', detail: 'Words.' },
    });
    expect(sender.busy).toBe(false);
    sender.resume(id);
    await settle();
    expect(FakeTus.made).toHaveLength(2);
    expect(sender.get(id)?.phase).toBe('sending');
  });

  it('tells a file that is gone from a line that is down', async () => {
    const file = film();
    vi.spyOn(file, 'slice').mockReturnValue({
      arrayBuffer: () => Promise.reject(new DOMException('gone', 'NotReadableError')),
    } as unknown as Blob);
    const { id } = sender.send(file, order);
    await settle();
    last().fail(0);
    await settle();
    expect(sender.get(id)).toMatchObject({ phase: 'refused', trouble: { code: 'file-unreadable' } });
  });

  it('pauses and goes on', async () => {
    const { id } = sender.send(film(), order);
    await settle();
    sender.pause(id);
    expect(last().aborts).toBe(1);
    last().fail(0); // what the abort stirs up changes nothing
    expect(sender.get(id)?.phase).toBe('paused');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(last().starts).toBe(1);
    sender.resume(id);
    await settle();
    expect(last().starts).toBe(2);
  });

  it('takes a line on which nothing moves for dead', async () => {
    const { id } = sender.send(film(), order);
    await settle();
    now = 50_000;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(sender.get(id)?.phase).toBe('waiting');
    expect(last().aborts).toBe(1);
  });

  it('goes on with an upload that stopped, when it is the same file', async () => {
    expect(sender.goOn(film('other.mp4', 99), open())).toBe(false);
    expect(sender.goOn(film('film.mp4', 100), open())).toBe(true);
    await settle();
    expect(last().options.uploadUrl).toBe('http://here/api/v1/uploads/up1');
    expect(sender.list[0]).toMatchObject({ resumed: true, sent: 40, upload: 'up1' });
  });

  it('finds the upload of the same file for the same place by itself', async () => {
    sender.send(film(), order, [
      open({ id: 'elsewhere', talk: 'other' }),
      open({ id: 'done', state: 'taken' }),
      open(),
    ]);
    await settle();
    expect(last().options.uploadUrl).toBe('http://here/api/v1/uploads/up1');
    sender.send(film(), order, [open()]); // that one is being sent already
    await settle();
    expect(last().options.uploadUrl).toBeNull();
  });

  it('uses what the browser remembers', async () => {
    FakeTus.earlier = [{ uploadUrl: 'http://here/api/v1/uploads/old' }];
    const { id } = sender.send(film(), order);
    await settle();
    expect(last().url).toBe('http://here/api/v1/uploads/old');
    expect(sender.get(id)?.resumed).toBe(true);
  });

  it('takes a dropped file off the list', async () => {
    const { id } = sender.send(film(), order);
    await settle();
    sender.drop(id);
    expect(sender.list).toEqual([]);
    expect(last().aborts).toBe(1);
  });
});
