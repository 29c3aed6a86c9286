import type { Problem } from '../../lib/problem.js';
import type { Language } from '../../lib/route.js';

/** A rung of the ladder that the viewer may choose. */
export interface Rung {
  height: number;
  bitrate: number;
}

export type PlayerEvent =
  /** The source is open; its rungs are known. */
  | { is: 'opened'; rungs: readonly Rung[] }
  /** Something was loaded. */
  | { is: 'flowing' }
  /** Something could not be loaded; when fatal the player stopped trying. */
  | { is: 'trouble'; problem: Problem; fatal: boolean; detail: string }
  /** The rung in the picture. */
  | { is: 'rung'; height: number };

export interface SourceOptions {
  /** Media position to begin at, s; null: as the playlist says. */
  position: number | null;
  /** Epoch ms of the frame to begin at; wins over position. Null: not asked. */
  date: number | null;
  language: Language;
  captions: boolean;
  /** Height of the rung to hold; null: automatic. */
  quality: number | null;
}

/** What the page needs of a player; one over hls.js and one over the browser's own. */
export interface Player {
  readonly kind: 'hls.js' | 'native';
  /** Can the sound change language without another source? */
  readonly changesSound: boolean;
  open(url: string, options: SourceOptions): void;
  /** Epoch ms of the frame in the picture; null when unknown. */
  shown(): number | null;
  /** Is shown() exact, or an estimate? */
  readonly exact: boolean;
  sound(language: Language): void;
  captions(on: boolean, language: Language): void;
  quality(height: number | null): void;
  /** Loads again after a fatal trouble. */
  reload(): void;
  /** Words for the debug panel. */
  stats(): Record<string, string | number | null>;
  close(): void;
}

/** The span of the media timeline that can be reached, s. */
export function seekableOf(video: HTMLVideoElement): { start: number; end: number } | null {
  const n = video.seekable.length;
  return n === 0 ? null : { start: video.seekable.start(0), end: video.seekable.end(n - 1) };
}

/** Seconds buffered from the position on. */
export function aheadOf(video: HTMLVideoElement): number {
  const at = video.currentTime;
  for (let i = 0; i < video.buffered.length; i++) {
    if (video.buffered.start(i) <= at + 0.1 && at <= video.buffered.end(i)) return video.buffered.end(i) - at;
  }
  return 0;
}
