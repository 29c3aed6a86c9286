/** A speaker's page: what the server knows of it, read again whenever something moves. */
import type { HandInPage, IntakeApi } from '../intake/api.js';
import { Feed, pause } from '../intake/feed.js';
import type { Trouble } from '../intake/trouble.js';
import { delayOf } from '../lib/retry.js';

/** At least so often the page is read even if nothing is told: a deadline passes in silence. */
const EVERY_MS = 30_000;
const SOON_MS = 250;

export class HandInStore {
  page = $state.raw<HandInPage | null>(null);
  trouble = $state.raw<Trouble | null>(null);
  /** The server does not answer, and is asked again. */
  lost = $state(false);
  accepting = $state(false);
  readonly #api: IntakeApi;
  readonly #feed: Feed;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #due = Number.POSITIVE_INFINITY;
  #tries = 0;
  #closed = false;

  constructor(api: IntakeApi, key: string) {
    this.#api = api;
    this.#feed = new Feed(key, {
      fetch: (...a) => fetch(...a),
      tell: () => this.refresh(),
      line: () => {},
      // The reading says why.
      refused: () => this.refresh(),
      wait: pause,
    });
    void this.#read();
    void this.#feed.run();
  }

  close(): void {
    this.#closed = true;
    this.#feed.close();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** Reads soon; calls shortly after another share it. */
  refresh(): void {
    this.#plan(SOON_MS);
  }

  async accept(): Promise<void> {
    const version = this.page?.terms.version;
    if (version === undefined || this.accepting) return;
    this.accepting = true;
    const told = await this.#api.accept(version);
    this.accepting = false;
    if (told.ok) {
      this.page = told.value;
      this.trouble = null;
    } else {
      this.trouble = told.trouble;
      if (told.trouble.code === 'terms-changed') this.refresh();
    }
  }

  #plan(ms: number): void {
    const due = performance.now() + ms;
    if (this.#closed || due >= this.#due) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => void this.#read(), ms);
  }

  async #read(): Promise<void> {
    this.#due = Number.POSITIVE_INFINITY;
    const told = await this.#api.handIn();
    if (this.#closed) return;
    if (told.ok) {
      this.page = told.value;
      if (this.trouble?.code !== 'terms-changed') this.trouble = null;
      this.lost = false;
      this.#tries = 0;
      this.#plan(EVERY_MS);
      return;
    }
    const { status } = told.trouble;
    if (status >= 400 && status < 500 && status !== 408 && status !== 429) {
      this.trouble = told.trouble;
      this.page = null;
      return;
    }
    this.lost = true;
    this.#plan(delayOf(this.#tries++));
  }
}
