/**
 * How the work gets on, as the server tells it (GET /progress). EventSource
 * cannot send the person's key in a header, and in an address it would end up in
 * logs: the stream is read with fetch.
 */
import { delayOf } from '../lib/retry.js';
import { EventParser, type ServerEvent } from './sse.js';
import { parseTrouble, type Trouble } from './trouble.js';

/** A heartbeat comes every 15 s: after so long without a byte the line is dead, ms. */
const SILENCE_MS = 40_000;

export interface FeedDeps {
  fetch: typeof fetch;
  /** Says what was told. */
  tell: (e: ServerEvent) => void;
  /** The line is up, or down and being tried again. */
  line: (up: boolean) => void;
  /** The server said no: nothing more will come. */
  refused: (t: Trouble) => void;
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

export class Feed {
  readonly #key: string;
  readonly #deps: FeedDeps;
  readonly #end = new AbortController();

  constructor(key: string, deps: FeedDeps) {
    this.#key = key;
    this.#deps = deps;
  }

  close(): void {
    this.#end.abort();
  }

  /** Listens until it is closed or refused. */
  async run(): Promise<void> {
    const parser = new EventParser();
    for (let tries = 0; !this.#end.signal.aborted; ) {
      const heard = await this.#listen(parser);
      if (this.#end.signal.aborted || heard === 'refused') return;
      this.#deps.line(false);
      tries = heard === 'something' ? 0 : tries + 1;
      const pause = tries === 0 && parser.retry !== null ? parser.retry : delayOf(tries);
      await this.#deps.wait(pause, this.#end.signal);
    }
  }

  async #listen(parser: EventParser): Promise<'something' | 'nothing' | 'refused'> {
    const turn = new AbortController();
    const stop = () => turn.abort();
    this.#end.signal.addEventListener('abort', stop, { once: true });
    let silence = setTimeout(stop, SILENCE_MS);
    let heard: 'something' | 'nothing' = 'nothing';
    try {
      const headers: Record<string, string> = { Authorization: `Bearer ${this.#key}` };
      if (parser.id !== '') headers['Last-Event-ID'] = parser.id;
      const r = await this.#deps.fetch('/api/v1/progress', {
        headers,
        signal: turn.signal,
        cache: 'no-store',
      });
      if (!r.ok || r.body === null) {
        const trouble = parseTrouble(r.status, await r.text());
        if (r.status < 400 || r.status >= 500 || r.status === 429) return 'nothing';
        this.#deps.refused(trouble);
        return 'refused';
      }
      this.#deps.line(true);
      const reader = r.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return heard;
        heard = 'something';
        clearTimeout(silence);
        silence = setTimeout(stop, SILENCE_MS);
        for (const e of parser.push(value)) this.#deps.tell(e);
      }
    } catch {
      return heard;
    } finally {
      clearTimeout(silence);
      this.#end.signal.removeEventListener('abort', stop);
    }
  }
}

/** A pause that ends early when the signal does. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        done();
      },
      { once: true },
    );
  });
}
