/** The films that this page sends: store of everything on its way from here. */
import type { Upload as TusUpload } from 'tus-js-client';
import { i18n } from '../lib/i18n/index.svelte.js';
import type { Upload } from './api.js';
import { isSameFile, nextTry, Pace, type Sending } from './sending.js';
import { NO_ANSWER, NO_FILE, parseTrouble, type Trouble } from './trouble.js';

export interface Order {
  talk: string | null;
  languages: readonly string[];
  asset: string | null;
}

export interface SenderDeps {
  key: string;
  /** Loads tus-js-client. */
  load: () => Promise<{ Upload: typeof TusUpload }>;
  /** ms; monotonic. */
  now: () => number;
  /** The server has all of a file. */
  sent: (s: Sending) => void;
}

const ENDPOINT = '/api/v1/uploads/';
/** One request carries this much: proxies that hold a request back until it is whole hold back no more than that. */
const CHUNK = 64 << 20;
const AT_ONCE = 2;
/** A line on which nothing has moved for so long is dead, ms. */
const STALL_MS = 45_000;

interface Work {
  file: File;
  order: Order;
  /** The upload to go on with, by the server's id. */
  goOn: string | null;
  tus: TusUpload | null;
  pace: Pace;
  moved: number;
  timer: ReturnType<typeof setTimeout> | null;
}

export class Sender {
  list = $state<Sending[]>([]);
  readonly #deps: SenderDeps;
  readonly #work = new Map<string, Work>();
  readonly #watch: ReturnType<typeof setInterval>;
  #count = 0;

  constructor(deps: SenderDeps) {
    this.#deps = deps;
    this.#watch = setInterval(() => this.#lookForStalls(), 5_000);
    globalThis.addEventListener?.('online', this.#online);
    globalThis.addEventListener?.('beforeunload', this.#beforeUnload);
  }

  /** Something is on its way, or will go on by itself. */
  get busy(): boolean {
    return this.list.some((s) => s.phase === 'sending' || s.phase === 'queued' || s.phase === 'waiting');
  }

  get(id: string): Sending | undefined {
    return this.list.find((s) => s.id === id);
  }

  /** Is this page at work on that upload? */
  has(upload: string): boolean {
    return this.list.some((s) => s.upload === upload && s.phase !== 'refused');
  }

  /** Sends a file; open are the uploads that stopped: when it is the file of one, that one goes on. */
  send(file: File, order: Order, open: readonly Upload[] = []): Sending {
    const before = open.find(
      (u) => u.state === 'open' && !this.has(u.id) && isSameFile(file, u) && fits(u, order),
    );
    return this.#begin(file, order, before?.id ?? null, before?.offset ?? 0);
  }

  /** Goes on with an upload that stopped; false: it is another file. */
  goOn(file: File, upload: Upload): boolean {
    if (file.size !== upload.size) return false;
    const order = { talk: upload.talk ?? null, languages: upload.languages, asset: upload.asset ?? null };
    this.#begin(file, order, upload.id, upload.offset);
    return true;
  }

  #begin(file: File, order: Order, goOn: string | null, offset: number): Sending {
    const id = `s${++this.#count}`;
    this.#work.set(id, { file, order, goOn, tus: null, pace: new Pace(), moved: 0, timer: null });
    this.list.push({
      id,
      name: file.name,
      size: file.size,
      ...order,
      phase: 'queued',
      sent: offset,
      speed: 0,
      upload: goOn,
      trouble: null,
      tries: 0,
      resumed: goOn !== null,
    });
    this.#next();
    return this.list[this.list.length - 1] as Sending;
  }

  pause(id: string): void {
    const s = this.get(id);
    if (s === undefined || (s.phase !== 'sending' && s.phase !== 'queued' && s.phase !== 'waiting')) return;
    s.phase = 'paused';
    s.speed = 0;
    this.#halt(id);
    this.#next();
  }

  /** Goes on after a pause, a wait or a refusal. */
  resume(id: string): void {
    const s = this.get(id);
    if (s === undefined || s.phase === 'sending' || s.phase === 'sent') return;
    this.#halt(id);
    s.phase = 'queued';
    s.trouble = null;
    s.tries = 0;
    this.#next();
  }

  /** Takes a file off the list; what the server holds of it is for the caller to remove. */
  drop(id: string): void {
    this.#halt(id);
    this.#work.delete(id);
    this.list = this.list.filter((s) => s.id !== id);
    this.#next();
  }

  close(): void {
    clearInterval(this.#watch);
    globalThis.removeEventListener?.('online', this.#online);
    globalThis.removeEventListener?.('beforeunload', this.#beforeUnload);
    for (const id of this.#work.keys()) this.#halt(id);
    this.#work.clear();
  }

  /** Starts what has waited for its turn. */
  #next(): void {
    let room = AT_ONCE - this.list.filter((s) => s.phase === 'sending').length;
    for (const s of this.list) {
      if (room <= 0) return;
      if (s.phase !== 'queued') continue;
      s.phase = 'sending';
      room--;
      void this.#start(s.id);
    }
  }

  async #start(id: string): Promise<void> {
    const work = this.#work.get(id);
    if (work === undefined) return;
    work.moved = this.#deps.now();
    try {
      if (work.tus === null) {
        const { Upload } = await this.#deps.load();
        // Paused, or started once more, meanwhile.
        if (this.get(id)?.phase !== 'sending' || work.tus !== null) return;
        work.tus = this.#make(id, work, Upload);
        if (work.goOn === null) await this.#findEarlier(id, work);
      }
      if (this.get(id)?.phase === 'sending') work.tus.start();
    } catch {
      this.#failed(id, NO_ANSWER);
    }
  }

  /** What this browser remembers of the same file for the same place. */
  async #findEarlier(id: string, work: Work): Promise<void> {
    const earlier = (await work.tus?.findPreviousUploads().catch(() => [])) ?? [];
    const last = earlier.at(-1);
    const s = this.get(id);
    if (last === undefined || s === undefined) return;
    work.tus?.resumeFromPreviousUpload(last);
    s.resumed = true;
  }

  #make(id: string, work: Work, Upload: typeof TusUpload): TusUpload {
    const { file, order } = work;
    const print =
      `${file.size}-${file.lastModified}-${order.talk ?? ''}-${order.asset ?? ''}-${file.name}`.slice(0, 200);
    const metadata: Record<string, string> = {
      filename: file.name,
      filetype: file.type,
      fingerprint: print.normalize('NFC').slice(0, 120),
    };
    if (order.talk !== null) metadata['talk'] = order.talk;
    if (order.languages.length > 0) metadata['languages'] = order.languages.join(',');
    if (order.languages.length === 1) metadata['language'] = order.languages[0] ?? '';
    if (order.asset !== null) metadata['asset'] = order.asset;
    return new Upload(file, {
      endpoint: location.origin + ENDPOINT,
      uploadUrl: work.goOn === null ? null : location.origin + ENDPOINT + work.goOn,
      headers: { Authorization: `Bearer ${this.#deps.key}` },
      metadata,
      chunkSize: CHUNK,
      // When to try again is decided here: it depends on what the server said, and on the network's return.
      retryDelays: null,
      removeFingerprintOnSuccess: true,
      fingerprint: async () => `reprise-${print}`,
      onBeforeRequest: (r) => r.setHeader('Accept-Language', i18n.language),
      onUploadUrlAvailable: () => this.#named(id, work.tus?.url ?? null),
      onProgress: (sent) => this.#moved(id, sent),
      onSuccess: () => this.#succeeded(id),
      onError: (e) => void this.#broke(id, troubleOf(e)),
    });
  }

  #named(id: string, url: string | null): void {
    const s = this.get(id);
    if (s !== undefined && url !== null) s.upload = url.replace(/\/+$/, '').split('/').pop() ?? null;
  }

  #moved(id: string, sent: number): void {
    const s = this.get(id);
    const work = this.#work.get(id);
    if (s === undefined || work === undefined || s.phase !== 'sending') return;
    work.moved = this.#deps.now();
    s.speed = work.pace.add(work.moved, sent);
    s.sent = sent;
    s.tries = 0;
    s.trouble = null;
  }

  #succeeded(id: string): void {
    const s = this.get(id);
    if (s === undefined) return;
    s.phase = 'sent';
    s.sent = s.size;
    s.speed = 0;
    this.#work.delete(id);
    this.#deps.sent(s);
    this.#next();
  }

  /** A file that was changed or whose drive is gone looks like a line that is down: only reading it tells. */
  async #broke(id: string, trouble: Trouble): Promise<void> {
    const work = this.#work.get(id);
    if (work === undefined || trouble.status !== 0) return this.#failed(id, trouble);
    const readable = await work.file
      .slice(0, 1)
      .arrayBuffer()
      .then(
        () => true,
        () => false,
      );
    this.#failed(id, readable ? trouble : NO_FILE);
  }

  #failed(id: string, trouble: Trouble): void {
    const s = this.get(id);
    const work = this.#work.get(id);
    if (s === undefined || work === undefined || s.phase !== 'sending') return;
    const after = nextTry(trouble, s.tries);
    s.trouble = trouble;
    s.speed = 0;
    if (after === null) {
      s.phase = 'refused';
      work.tus = null; // begun anew when the person says so
      work.goOn = null;
    } else {
      s.phase = 'waiting';
      s.tries++;
      work.timer = setTimeout(() => this.#again(id), after);
    }
    this.#next();
  }

  #again(id: string): void {
    const s = this.get(id);
    if (s?.phase !== 'waiting') return;
    s.phase = 'queued';
    this.#next();
  }

  #halt(id: string): void {
    const work = this.#work.get(id);
    if (work === undefined) return;
    if (work.timer !== null) clearTimeout(work.timer);
    work.timer = null;
    void work.tus?.abort().catch(() => {});
  }

  #lookForStalls(): void {
    const now = this.#deps.now();
    for (const s of this.list) {
      const work = this.#work.get(s.id);
      if (s.phase !== 'sending' || work === undefined || now - work.moved < STALL_MS) continue;
      this.#halt(s.id);
      this.#failed(s.id, NO_ANSWER);
    }
  }

  readonly #online = () => {
    for (const s of this.list) if (s.phase === 'waiting') this.#again(s.id);
  };

  readonly #beforeUnload = (e: BeforeUnloadEvent) => {
    if (this.busy) e.preventDefault();
  };
}

/** Is an upload that stopped for the same place? */
function fits(u: Upload, order: Order): boolean {
  return (
    (u.talk ?? null) === order.talk &&
    (u.asset ?? null) === order.asset &&
    [...u.languages].sort().join() === [...order.languages].sort().join()
  );
}

function troubleOf(e: unknown): Trouble {
  const answer = (e as { originalResponse?: { getStatus(): number; getBody(): string } | null })
    .originalResponse;
  return answer == null ? NO_ANSWER : parseTrouble(answer.getStatus(), answer.getBody() ?? '');
}
