import Hls, { type ErrorData, type HlsConfig, type LoaderResponse, type RetryConfig } from 'hls.js';
import { NETWORK, type Problem, toProblem } from '../../lib/problem.js';
import type { Language } from '../../lib/route.js';
import type { Player, PlayerEvent, SourceOptions } from './player.js';

/** A media error is repaired by a new MediaSource at most this often, ms; then all is built anew. */
const RECOVER_EVERY = 10_000;

/** hls.js over Media Source Extensions (or Managed Media Source): exact dates, sound in place. */
export class HlsPlayer implements Player {
  readonly kind = 'hls.js';
  readonly changesSound = true;
  readonly exact = true;
  readonly #video: HTMLVideoElement;
  readonly #emit: (e: PlayerEvent) => void;
  #hls: Hls | null = null;
  #url = '';
  #options: SourceOptions | null = null;
  #recovered = Number.NEGATIVE_INFINITY;

  static supported(): boolean {
    return Hls.isSupported();
  }

  constructor(video: HTMLVideoElement, emit: (e: PlayerEvent) => void) {
    this.#video = video;
    this.#emit = emit;
  }

  open(url: string, options: SourceOptions): void {
    this.close();
    this.#url = url;
    this.#options = options;
    const hls = new Hls(configOf(options));
    this.#hls = hls;
    this.#listen(hls, options);
    hls.loadSource(url);
    hls.attachMedia(this.#video);
  }

  #listen(hls: Hls, options: SourceOptions): void {
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      this.#emit({
        is: 'opened',
        rungs: hls.levels.map((l) => ({ height: l.height, bitrate: l.bitrate })),
      });
      this.quality(this.#options?.quality ?? null);
    });
    hls.on(Hls.Events.AUDIO_TRACKS_UPDATED, () => this.sound(this.#options?.language ?? options.language));
    hls.on(Hls.Events.SUBTITLE_TRACKS_UPDATED, () => {
      const o = this.#options ?? options;
      this.captions(o.captions, o.language);
    });
    if (options.date !== null) this.#startAtDate(hls, options.date);
    hls.on(Hls.Events.LEVEL_UPDATED, () => this.#emit({ is: 'flowing' }));
    hls.on(Hls.Events.FRAG_BUFFERED, () => this.#emit({ is: 'flowing' }));
    hls.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => {
      this.#emit({ is: 'rung', height: hls.levels[level]?.height ?? 0 });
    });
    hls.on(Hls.Events.ERROR, (_, data) => this.#error(data));
  }

  /** The position of a date is known only once a playlist is there. */
  #startAtDate(hls: Hls, date: number): void {
    hls.once(Hls.Events.LEVEL_UPDATED, (_, { details }) => {
      const first = details.fragments[0];
      if (first?.programDateTime == null) return;
      const position = first.start + (date - first.programDateTime) / 1000;
      const video = this.#video;
      const seek = () => {
        video.currentTime = Math.min(Math.max(position, first.start), details.edge - 1);
      };
      if (video.readyState > 0) seek();
      else video.addEventListener('loadedmetadata', seek, { once: true });
    });
  }

  #error(data: ErrorData): void {
    const detail = `${data.details}${data.response ? ` ${data.response.code}` : ''}`;
    if (data.type === Hls.ErrorTypes.NETWORK_ERROR) {
      this.#emit({ is: 'trouble', problem: problemOf(data), fatal: data.fatal, detail });
      return;
    }
    if (!data.fatal) return;
    const now = performance.now();
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && now - this.#recovered > RECOVER_EVERY) {
      this.#recovered = now;
      this.#hls?.recoverMediaError();
      return;
    }
    this.#emit({ is: 'trouble', problem: { ...NETWORK, code: 'media' }, fatal: true, detail });
  }

  shown(): number | null {
    return this.#video.readyState < 2 ? null : (this.#hls?.playingDate?.getTime() ?? null);
  }

  sound(language: Language): void {
    const hls = this.#hls;
    if (this.#options !== null) this.#options = { ...this.#options, language };
    if (hls === null) return;
    const track = hls.audioTracks.findIndex((t) => t.lang === language);
    if (track >= 0 && track !== hls.audioTrack) hls.audioTrack = track;
  }

  captions(on: boolean, language: Language): void {
    const hls = this.#hls;
    if (this.#options !== null) this.#options = { ...this.#options, captions: on };
    if (hls === null) return;
    const track = on ? hls.subtitleTracks.findIndex((t) => t.lang === language) : -1;
    hls.subtitleDisplay = on;
    if (track !== hls.subtitleTrack) hls.subtitleTrack = track;
  }

  quality(height: number | null): void {
    const hls = this.#hls;
    if (this.#options !== null) this.#options = { ...this.#options, quality: height };
    if (hls === null || hls.levels.length === 0) return;
    const level = height === null ? -1 : nearestRung(hls.levels, height);
    if (level !== hls.nextLevel || hls.autoLevelEnabled !== (level === -1)) hls.nextLevel = level;
  }

  reload(): void {
    const hls = this.#hls;
    const options = this.#options;
    if (hls === null || options === null) return;
    if (hls.levels.length > 0 && this.#video.error === null && hls.url !== null) {
      hls.startLoad(this.#video.currentTime || -1);
      return;
    }
    const position = this.#video.currentTime > 0 ? this.#video.currentTime : options.position;
    this.open(this.#url, { ...options, position, date: this.shown() ?? options.date });
  }

  stats(): Record<string, string | number | null> {
    const hls = this.#hls;
    if (hls === null) return {};
    return {
      rung: hls.levels[hls.currentLevel]?.height ?? null,
      bandwidth: Math.round(hls.bandwidthEstimate / 1000),
      latency: Number(hls.latency.toFixed(2)),
      sound: hls.audioTracks[hls.audioTrack]?.lang ?? null,
      captions: hls.subtitleTracks[hls.subtitleTrack]?.lang ?? null,
    };
  }

  close(): void {
    this.#hls?.destroy();
    this.#hls = null;
  }
}

/** Index of the tallest level that is not taller than wanted; the lowest when all are. */
export function nearestRung(levels: readonly { height: number }[], height: number): number {
  let best = -1;
  levels.forEach((l, i) => {
    const current = levels[best];
    if (l.height <= height && (current === undefined || l.height > current.height)) best = i;
  });
  return best === -1 ? 0 : best;
}

function problemOf(data: ErrorData): Problem {
  const status = data.response?.code ?? 0;
  if (status === 0) return NETWORK;
  // hls.js drops the body of an error; the status says enough: a playback token is renewed whatever its fault.
  return { ...toProblem(status, null), code: status === 401 ? 'token-expired' : `http-${status}` };
}

/**
 * hls.js takes a refused connection of a browser that believes it is online for
 * final. For us it is a server that restarts: try again, and let only what the
 * server itself refused (4xx) through.
 */
function shouldRetry(
  retry: RetryConfig | null | undefined,
  count: number,
  isTimeout: boolean,
  response: LoaderResponse | undefined,
): boolean {
  if (!retry || count >= retry.maxNumRetry) return false;
  const status = response?.code ?? 0;
  return isTimeout || status === 0 || status === 429 || status >= 500;
}

/** Retry delays differ from viewer to viewer, or all would come back in the same second. */
function retryOf(tries: number): RetryConfig {
  return {
    maxNumRetry: tries,
    retryDelayMs: 400 + Math.random() * 600,
    maxRetryDelayMs: 5_000 + Math.random() * 4_000,
    shouldRetry,
  };
}

function policyOf(tries: number, firstByteMs: number): HlsConfig['playlistLoadPolicy'] {
  return {
    default: {
      maxTimeToFirstByteMs: firstByteMs,
      maxLoadTimeMs: firstByteMs * 2,
      timeoutRetry: retryOf(tries),
      errorRetry: retryOf(tries),
    },
  };
}

function configOf(o: SourceOptions): Partial<HlsConfig> {
  return {
    // Blocking reload without parts; the speed is ours (watch/sync.ts), never hls.js's.
    lowLatencyMode: true,
    maxLiveSyncPlaybackRate: 1,
    liveSyncOnStallIncrease: 0,
    startPosition: o.position ?? -1,
    backBufferLength: 60,
    maxBufferLength: 20,
    maxMaxBufferLength: 60,
    capLevelToPlayerSize: true,
    capLevelOnFPSDrop: true,
    audioPreference: { lang: o.language },
    ...(o.captions ? { subtitlePreference: { lang: o.language } } : {}),
    enableWorker: true,
    errorPenaltyExpireMs: 20_000,
    manifestLoadPolicy: policyOf(6, 10_000),
    // A blocking reload holds its answer for up to a target duration and a half.
    playlistLoadPolicy: policyOf(8, 20_000),
    fragLoadPolicy: policyOf(8, 10_000),
  };
}
