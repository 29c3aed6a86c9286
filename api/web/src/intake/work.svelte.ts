/** Everything that comes in for an event, as the server tells it: films, uploads, work. Store of the desk's rooms. */

import type { Asset, IntakeApi, Job, Quota, Upload } from './api.js';
import { Feed, pause } from './feed.js';
import type { ServerEvent } from './sse.js';
import { NO_ANSWER, type Trouble } from './trouble.js';

export class WorkStore {
  assets = $state.raw<readonly Asset[]>([]);
  uploads = $state.raw<readonly Upload[]>([]);
  jobs = $state.raw<readonly Job[]>([]);
  quota = $state.raw<Quota | null>(null);
  /** The lists are there. */
  known = $state(false);
  /** The line to the server is up. */
  up = $state(true);
  trouble = $state.raw<Trouble | null>(null);
  readonly #api: IntakeApi;
  readonly #feed: Feed | null;
  #reading: ReturnType<typeof setTimeout> | null = null;
  #closed = false;

  constructor(api: IntakeApi, key: string | null, staff = true) {
    this.#api = api;
    if (key === null) {
      this.#feed = null;
      this.trouble = { ...NO_ANSWER, status: 401, code: 'token-missing' };
      return;
    }
    this.#feed = new Feed(key, {
      fetch: (...a) => fetch(...a),
      tell: (e) => this.#tell(e),
      line: (up) => {
        this.up = up;
        if (up && staff) this.refresh();
      },
      refused: (t) => {
        this.trouble = t;
      },
      wait: pause,
    });
    void this.#feed.run();
  }

  close(): void {
    this.#closed = true;
    this.#feed?.close();
    if (this.#reading !== null) clearTimeout(this.#reading);
  }

  asset(id: string): Asset | undefined {
    return this.assets.find((a) => a.id === id);
  }

  /** Reads what the stream does not tell: the quota, and the order of the work. Calls shortly after another share it. */
  refresh(): void {
    this.#reading ??= setTimeout(() => {
      this.#reading = null;
      void this.#read();
    }, 300);
  }

  async #read(): Promise<void> {
    const [uploads, jobs] = await Promise.all([this.#api.uploads(), this.#api.jobs()]);
    if (this.#closed) return;
    if (uploads.ok) this.quota = uploads.value.quota;
    if (jobs.ok) this.jobs = jobs.value;
  }

  #tell(e: ServerEvent): void {
    const data = JSON.parse(e.data);
    switch (e.event) {
      case 'all':
        this.assets = this.assets.filter((a) => data.assets.includes(a.id));
        this.uploads = this.uploads.filter((u) => data.uploads.includes(u.id));
        this.known = true;
        break;
      case 'asset':
        this.assets = placed(this.assets, data);
        break;
      case 'upload':
        this.uploads = placed(this.uploads, data);
        if (data.state !== 'open') this.refresh();
        break;
      case 'job':
        this.refresh();
        break;
      case 'gone':
        if (data.kind === 'asset') this.assets = this.assets.filter((a) => a.id !== data.id);
        if (data.kind === 'upload') this.uploads = this.uploads.filter((u) => u.id !== data.id);
        this.refresh();
        break;
    }
  }
}

/** The list with the item in its place: where it was, or at the end. */
export function placed<T extends { id: string }>(list: readonly T[], item: T): readonly T[] {
  const at = list.findIndex((x) => x.id === item.id);
  return at < 0 ? [...list, item] : list.with(at, item);
}
