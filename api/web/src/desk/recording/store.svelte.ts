/** One recording: everything that its page shows, read again when the film changes. */
import type {
  Asset,
  CaptionList,
  Chapters,
  Consequence,
  IntakeApi,
  MadeMedia,
  Preview,
  Report,
  Told,
} from '../../intake/api.js';
import type { Trouble } from '../../intake/trouble.js';

const SOON_MS = 400;
/** Addresses are good for hours: they are asked for anew only when what they show is another. */
const CHANGED_MEDIA = (a: Asset | null, b: Asset) =>
  a === null ||
  a.media !== b.media ||
  a.first !== b.first ||
  a.preview !== b.preview ||
  a.source.id !== b.source.id;

export class RecordingStore {
  asset = $state.raw<Asset | null>(null);
  report = $state.raw<Report | null>(null);
  media = $state.raw<MadeMedia | null>(null);
  preview = $state.raw<Preview | null>(null);
  captions = $state.raw<CaptionList | null>(null);
  chapters = $state.raw<Chapters | null>(null);
  /** By talk. */
  consequences = $state.raw<Readonly<Record<string, Consequence>>>({});
  /** The film cannot be shown. */
  refused = $state.raw<Trouble | null>(null);
  /** What the last change came to grief with. */
  trouble = $state.raw<Trouble | null>(null);
  /** A change is under way. */
  busy = $state(false);
  /** Said once a change is made. */
  said = $state('');
  readonly id: string;
  readonly #api: IntakeApi;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #closed = false;

  constructor(id: string, api: IntakeApi) {
    this.id = id;
    this.#api = api;
    void this.#read();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  refresh(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      void this.#read();
    }, SOON_MS);
  }

  /** The addresses have expired. */
  async renew(): Promise<void> {
    const [preview, media] = await Promise.all([this.#api.preview(this.id), this.#api.media(this.id)]);
    if (this.#closed) return;
    if (preview.ok) this.preview = preview.value;
    if (media.ok) this.media = media.value;
  }

  /**
   * Makes a change, and reads what came of it. said is announced when it is made.
   * Null: it was not made. Pressing twice asks once; buttons stay as they are, or
   * who came by keyboard would lose their place.
   */
  async change<T>(ask: () => Promise<Told<T>>, said: string): Promise<T | null> {
    if (this.busy) return null;
    this.busy = true;
    this.trouble = null;
    this.said = '';
    const told = await ask();
    this.busy = false;
    if (!told.ok) {
      this.trouble = told.trouble;
      this.refresh();
      return null;
    }
    this.said = said;
    await this.#read();
    return told.value;
  }

  async #read(): Promise<void> {
    const { id } = this;
    const told = await this.#api.asset(id);
    if (this.#closed) return;
    if (!told.ok) {
      if (this.asset === null || told.trouble.status === 404) this.refused = told.trouble;
      return;
    }
    const before = this.asset;
    this.asset = told.value;
    this.refused = null;
    const talks = told.value.talks.map((t) => t.talk);
    const [report, captions, chapters, ...films] = await Promise.all([
      this.#api.report(id),
      this.#api.captions(id),
      this.#api.chapters(id),
      ...talks.map((t) => this.#api.film(t)),
    ]);
    if (this.#closed) return;
    // What is not there yet is not shown: a film that was replaced has no report for a moment.
    if (report.ok || report.trouble.status === 404) this.report = report.ok ? report.value : null;
    if (captions.ok) this.captions = captions.value;
    if (chapters.ok) this.chapters = chapters.value;
    this.consequences = Object.fromEntries(
      films.flatMap((f, i) => (f.ok ? [[talks[i] as string, f.value] as const] : [])),
    );
    if (CHANGED_MEDIA(before, told.value)) await this.renew();
  }
}
