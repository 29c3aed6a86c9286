import { NETWORK } from '../../lib/problem.js';
import type { Language } from '../../lib/route.js';
import { type Player, type PlayerEvent, type SourceOptions, seekableOf } from './player.js';

/** Safari's date of the media timeline's zero; others lack it. */
interface DatedVideo extends HTMLVideoElement {
  getStartDate?: () => Date;
  audioTracks?: ArrayLike<{ language: string; enabled: boolean }>;
}

/** HOLD-BACK of our playlists, s: the air is this far from the end of what is listed, at most. */
const HOLD_BACK_S = 16;

/**
 * The browser's own HLS: where there is no Media Source (old iPhones), and for
 * comparison. Safari tells the date of its timeline; Chromium does not, and what
 * shown() says there is an estimate from the dates in the playlist,
 * a few seconds ahead of the air, and nothing holds it to the schedule.
 */
export class NativePlayer implements Player {
  readonly kind = 'native';
  readonly #video: DatedVideo;
  readonly #emit: (e: PlayerEvent) => void;
  readonly #now: () => number;
  #url = '';
  #options: SourceOptions | null = null;
  #listening: AbortController | null = null;
  /** Epoch ms at media position 0, by our own reading of the playlist. */
  #zero: number | null = null;

  static supported(video: HTMLVideoElement): boolean {
    return video.canPlayType('application/vnd.apple.mpegurl') !== '';
  }

  /** now: the server's epoch ms. */
  constructor(video: HTMLVideoElement, emit: (e: PlayerEvent) => void, now: () => number) {
    this.#video = video;
    this.#emit = emit;
    this.#now = now;
  }

  get changesSound(): boolean {
    return (this.#video.audioTracks?.length ?? 0) > 1;
  }

  get exact(): boolean {
    return this.#startDate() !== null;
  }

  open(url: string, options: SourceOptions): void {
    this.close();
    this.#url = url;
    this.#options = options;
    this.#zero = null;
    const listening = new AbortController();
    this.#listening = listening;
    const on = (name: string, f: () => void) =>
      this.#video.addEventListener(name, f, { signal: listening.signal });
    on('loadedmetadata', () => this.#ready(options));
    for (const name of ['progress', 'timeupdate']) on(name, () => this.#emit({ is: 'flowing' }));
    on('resize', () => this.#emit({ is: 'rung', height: this.#video.videoHeight }));
    on('error', () => this.#error());
    // The picture does not wait long for its date.
    void this.#readZero(url, AbortSignal.any([listening.signal, AbortSignal.timeout(2_500)])).then(() => {
      if (listening.signal.aborted) return;
      this.#video.src = url;
      this.#video.load();
    });
  }

  #ready(o: SourceOptions): void {
    this.#emit({ is: 'opened', rungs: [] });
    this.sound(o.language);
    this.captions(o.captions, o.language);
    const live = !Number.isFinite(this.#video.duration);
    const zero = this.#startDate() ?? this.#zero;
    if (o.date !== null && zero !== null) this.#video.currentTime = (o.date - zero) / 1000;
    else if (!live && o.position !== null) this.#video.currentTime = o.position;
    else if (live && o.date === null) this.#toAir();
  }

  /** Some start at the beginning of the window, some three segments from its end: go where the air is. */
  #toAir(): void {
    const span = seekableOf(this.#video);
    if (span === null) return;
    const start = this.#startDate() ?? this.#zero;
    const now = this.#now();
    const wanted = start !== null && !Number.isNaN(now) ? (now - start) / 1000 : span.end - HOLD_BACK_S;
    const at = Math.min(Math.max(wanted, span.start), span.end);
    if (Math.abs(at - this.#video.currentTime) > 1) this.#video.currentTime = at;
  }

  /**
   * Where the browser keeps the date to itself: Chromium begins a live playlist at
   * its third segment from the end and calls that 0, so the date of that
   * segment, read just before, is the date of 0. One segment off when the list
   * grew between the two readings; hence only an estimate.
   */
  async #readZero(url: string, signal: AbortSignal): Promise<void> {
    if (typeof this.#video.getStartDate === 'function') return;
    try {
      const main = await (await fetch(url, { signal })).text();
      const variant = main.split('\n').find((line) => line.trim() !== '' && !line.startsWith('#'));
      if (variant === undefined) return;
      const media = await (await fetch(new URL(variant, new URL(url, location.href)), { signal })).text();
      this.#zero = zeroOf(media);
    } catch {
      // Without it nothing is known of the date, and the picture is left alone.
    }
  }

  #startDate(): number | null {
    const ms = this.#video.getStartDate?.().getTime();
    return ms === undefined || Number.isNaN(ms) ? null : ms;
  }

  shown(): number | null {
    const video = this.#video;
    if (video.readyState < 2) return null;
    const zero = this.#startDate() ?? this.#zero;
    return zero === null ? null : zero + video.currentTime * 1000;
  }

  sound(language: Language): void {
    const tracks = this.#video.audioTracks;
    if (tracks === undefined || tracks.length < 2) return;
    for (const track of Array.from(tracks)) track.enabled = track.language.startsWith(language);
  }

  captions(on: boolean, language: Language): void {
    for (const track of Array.from(this.#video.textTracks)) {
      if (track.kind !== 'subtitles' && track.kind !== 'captions') continue;
      track.mode = on && track.language.startsWith(language) ? 'showing' : 'disabled';
    }
  }

  quality(): void {
    // The browser chooses.
  }

  #error(): void {
    const error = this.#video.error;
    const problem = { ...NETWORK, code: error?.code === MediaError.MEDIA_ERR_DECODE ? 'media' : 'network' };
    this.#emit({ is: 'trouble', problem, fatal: true, detail: error?.message ?? '' });
  }

  reload(): void {
    const o = this.#options;
    if (o === null) return;
    const replay = Number.isFinite(this.#video.duration);
    this.open(this.#url, replay ? { ...o, position: this.#video.currentTime, date: null } : o);
    void this.#video.play().catch(() => {});
  }

  stats(): Record<string, string | number | null> {
    const span = seekableOf(this.#video);
    return {
      date: this.exact ? 'getStartDate' : this.#zero !== null ? 'estimate' : 'none',
      behindEnd: span === null ? null : Number((span.end - this.#video.currentTime).toFixed(2)),
    };
  }

  close(): void {
    this.#listening?.abort();
    if (this.#listening !== null) {
      this.#video.removeAttribute('src');
      this.#video.load();
    }
    this.#listening = null;
  }
}

/** Epoch ms of media position 0 where a browser begins at the third segment from the end, or null. */
export function zeroOf(media: string): number | null {
  const dates = [...media.matchAll(/^#EXT-X-PROGRAM-DATE-TIME:(\S+)/gm)].map((m) =>
    Date.parse(m[1] as string),
  );
  const closed = /^#EXT-X-ENDLIST/m.test(media);
  const date = closed ? dates[0] : dates[Math.max(0, dates.length - 3)];
  return date === undefined || Number.isNaN(date) ? null : date;
}
