import createClient from 'openapi-fetch';
import type { components, paths } from '../lib/api/schema.gen.js';
import { i18n } from '../lib/i18n/index.svelte.js';
import { NO_ANSWER, type Trouble, toTrouble } from './trouble.js';

type Wire = components['schemas'];

// The rooms where films come in show what the server says, word for word: its names are theirs.
export type Asset = Wire['Asset'];
export type AssetFinding = Wire['AssetFinding'];
export type CaptionList = Wire['CaptionList'];
export type CaptionTrack = Wire['CaptionTrack'];
export type CaptionsChanged = Wire['CaptionsChanged'];
export type ChapterMark = Wire['ChapterMark'];
/** With the tag by which a change says what it changes. */
export type Chapters = Wire['Chapters'] & { etag: string };
export type Consequence = Wire['Consequence'];
export type Cue = Wire['Cue'];
export type Cues = Wire['Cues'];
export type HandIn = Wire['HandIn'];
export type HandInPage = Wire['HandInPage'];
export type HandInRequest = Wire['HandInRequest'];
export type Job = Wire['QueuedJob'];
export type MadeMedia = Wire['MadeMedia'];
export type PastRevision = Wire['PastRevision'];
export type Preview = Wire['Preview'];
export type Progress = Wire['Progress'];
export type Quota = Wire['Quota'];
export type Report = Wire['PreflightReport'];
export type Upload = Wire['Upload'];

export type Told<T> = { ok: true; value: T } | { ok: false; trouble: Trouble };

const TIMEOUT_MS = 15_000;
/** Files of captions and pictures go over a busy line. */
const FILE_MS = 90_000;

/** The operations on films, asked with an organizer's or a speaker's key. Questions never throw. */
export class IntakeApi {
  readonly #client;

  constructor(key: string | null) {
    this.#client = createClient<paths>({
      baseUrl: location.origin,
      ...(key === null ? {} : { headers: { Authorization: `Bearer ${key}` } }),
    });
    this.#client.use({
      onRequest: ({ request }) => {
        request.headers.set('Accept-Language', i18n.language);
        return request;
      },
    });
  }

  assets = () => tell(this.#client.GET('/api/v1/assets', plain()), (w) => w.assets);
  uploads = () => tell(this.#client.GET('/api/v1/uploads', plain()), (w) => w);
  jobs = () => tell(this.#client.GET('/api/v1/jobs', plain()), (w) => w.jobs);
  asset = (id: string) => tell(this.#client.GET('/api/v1/assets/{asset}', of(id)), same);
  report = (id: string) => tell(this.#client.GET('/api/v1/assets/{asset}/report', of(id)), same);
  media = (id: string) => tell(this.#client.GET('/api/v1/assets/{asset}/media', of(id)), same);
  preview = (id: string) => tell(this.#client.POST('/api/v1/assets/{asset}/preview', of(id)), same);
  retry = (id: string) => tell(this.#client.POST('/api/v1/assets/{asset}/retry', of(id)), same);
  cancel = (id: string) => tell(this.#client.POST('/api/v1/assets/{asset}/cancel', of(id)), same);
  remove = (id: string) => done(this.#client.DELETE('/api/v1/assets/{asset}', of(id)));
  chapters = (id: string) => tell(this.#client.GET('/api/v1/assets/{asset}/chapters', of(id)), tagged);
  dropPoster = (id: string) => tell(this.#client.DELETE('/api/v1/assets/{asset}/poster', of(id)), same);
  captions = (id: string) => tell(this.#client.GET('/api/v1/assets/{asset}/captions', of(id)), same);
  film = (talk: string) =>
    tell(this.#client.GET('/api/v1/talks/{talk}/film', { params: { path: { talk } }, ...plain() }), same);

  rename = (id: string, title: string) =>
    tell(this.#client.PATCH('/api/v1/assets/{asset}', { ...of(id), body: { title } }), same);

  restore = (id: string, media: string) =>
    tell(this.#client.POST('/api/v1/assets/{asset}/restore', { ...of(id), body: { media } }), same);

  putFilm = (talk: string, languages: string[], asset: string) =>
    tell(
      this.#client.PUT('/api/v1/talks/{talk}/film', {
        params: { path: { talk } },
        body: { languages, asset },
        ...plain(),
      }),
      same,
    );

  cancelUpload = (upload: string) =>
    done(this.#client.DELETE('/api/v1/uploads/{upload}', { params: { path: { upload } }, ...plain() }));

  putChapters = (id: string, chapters: ChapterMark[], tag: string) =>
    tell(
      this.#client.PUT('/api/v1/assets/{asset}/chapters', { ...ofTagged(id, tag), body: { chapters } }),
      tagged,
    );

  dropChapters = (id: string, tag: string) =>
    tell(this.#client.DELETE('/api/v1/assets/{asset}/chapters', ofTagged(id, tag)), tagged);

  posterAt = (id: string, at: number) =>
    tell(this.#client.PUT('/api/v1/assets/{asset}/poster', { ...of(id), body: { at } }), same);

  posterPicture = (id: string, file: File) =>
    tell(
      this.#client.PUT('/api/v1/assets/{asset}/poster', {
        ...of(id, FILE_MS),
        ...raw(file, file.type === 'image/png' ? 'image/png' : 'image/jpeg'),
      }),
      same,
    );

  cues = (id: string, language: string) =>
    tell(
      this.#client.GET('/api/v1/assets/{asset}/captions/{language}', {
        params: { path: { asset: id, language } },
        headers: { Accept: 'application/json' },
        ...plain(),
      }),
      (w) => w as Cues,
    );

  /** The captions as a WebVTT file. */
  captionFile = (id: string, language: string) =>
    tell(
      this.#client.GET('/api/v1/assets/{asset}/captions/{language}', {
        params: { path: { asset: id, language } },
        headers: { Accept: 'text/vtt' },
        parseAs: 'blob',
        ...plain(),
      }),
      (w) => w as unknown as Blob,
    );

  /** tag: the ETag that was read; null: there were none. */
  putCaptions = (id: string, language: string, file: File, tag: string | null) =>
    tell(
      this.#client.PUT('/api/v1/assets/{asset}/captions/{language}', {
        params: { path: { asset: id, language }, query: { name: file.name }, header: match(tag) },
        ...raw(file, 'application/octet-stream'),
        ...plain(FILE_MS),
      }),
      same,
    );

  shiftCaptions = (id: string, language: string, shift: number, tag: string) =>
    tell(
      this.#client.PATCH('/api/v1/assets/{asset}/captions/{language}', {
        params: { path: { asset: id, language }, header: match(tag) },
        body: { shift },
        ...plain(),
      }),
      same,
    );

  putCues = (id: string, language: string, cues: Cue[], tag: string) =>
    tell(
      this.#client.PUT('/api/v1/assets/{asset}/captions/{language}/cues', {
        params: { path: { asset: id, language }, header: match(tag) },
        body: { cues },
        ...plain(FILE_MS),
      }),
      same,
    );

  dropCaptions = (id: string, language: string, tag: string) =>
    done(
      this.#client.DELETE('/api/v1/assets/{asset}/captions/{language}', {
        params: { path: { asset: id, language }, header: match(tag) },
        ...plain(),
      }),
    );

  generateCaptions = (id: string, language: string) =>
    done(
      this.#client.POST('/api/v1/assets/{asset}/captions/{language}/generate', {
        params: { path: { asset: id, language } },
        ...plain(),
      }),
    );

  handIns = () => tell(this.#client.GET('/api/v1/handins', plain()), same);
  createHandIn = (body: HandInRequest) =>
    tell(this.#client.POST('/api/v1/handins', { body, ...plain() }), same);
  changeHandIn = (handin: string, body: Wire['HandInChange']) =>
    tell(
      this.#client.PATCH('/api/v1/handins/{handin}', { params: { path: { handin } }, body, ...plain() }),
      same,
    );
  revokeHandIn = (handin: string) =>
    done(this.#client.DELETE('/api/v1/handins/{handin}', { params: { path: { handin } }, ...plain() }));
  invite = (handin: string) =>
    tell(
      this.#client.POST('/api/v1/handins/{handin}/invite', { params: { path: { handin } }, ...plain() }),
      same,
    );

  handIn = () => tell(this.#client.GET('/api/v1/handin', plain()), same);
  accept = (terms: string) =>
    tell(this.#client.POST('/api/v1/handin/accept', { body: { terms }, ...plain() }), same);
}

const plain = (ms = TIMEOUT_MS) => ({ signal: AbortSignal.timeout(ms) });
const of = (asset: string, ms = TIMEOUT_MS) => ({ params: { path: { asset } }, ...plain(ms) });
const ofTagged = (asset: string, tag: string) => ({
  params: { path: { asset }, header: { 'If-Match': tag } },
  ...plain(),
});
const match = (tag: string | null) => (tag === null ? {} : { 'If-Match': tag });
const same = <T>(w: T) => w;
const tagged = (w: Wire['Chapters'], r: Response): Chapters => ({ ...w, etag: r.headers.get('ETag') ?? '*' });

/** A body that goes as it is. The document calls it a string, as it has no word for a file. */
function raw(file: File, type: string) {
  return {
    body: file as unknown as string,
    bodySerializer: (f: unknown) => f as Blob,
    headers: { 'Content-Type': type },
  };
}

type Asked<W> = Promise<{ data?: W; error?: unknown; response: Response }>;

async function tell<W, T>(asked: Asked<W>, convert: (wire: W, response: Response) => T): Promise<Told<T>> {
  try {
    const { data, error, response } = await asked;
    if (data !== undefined) return { ok: true, value: convert(data, response) };
    return { ok: false, trouble: toTrouble(response.status, error) };
  } catch {
    return { ok: false, trouble: NO_ANSWER };
  }
}

async function done(asked: Asked<unknown>): Promise<Told<null>> {
  try {
    const { error, response } = await asked;
    return response.ok
      ? { ok: true, value: null }
      : { ok: false, trouble: toTrouble(response.status, error) };
  } catch {
    return { ok: false, trouble: NO_ANSWER };
  }
}
