/** Everything that only a watching page needs; loaded when there is something to watch. */
import 'media-chrome/dist/media-controller.js';
import 'media-chrome/dist/media-control-bar.js';
import 'media-chrome/dist/media-play-button.js';
import 'media-chrome/dist/media-mute-button.js';
import 'media-chrome/dist/media-volume-range.js';
import 'media-chrome/dist/media-pip-button.js';
import 'media-chrome/dist/media-fullscreen-button.js';
import 'media-chrome/dist/media-loading-indicator.js';
import 'media-chrome/lang/fr';
import { HlsPlayer } from './hls.js';
import { NativePlayer } from './native.js';
import type { Player, PlayerEvent } from './player.js';

export interface PlayerChoice {
  /** Use the browser's own HLS even where hls.js works. */
  native: boolean;
  /** The server's epoch ms. */
  now: () => number;
}

/** The player for this browser; null when it can play nothing of ours. */
export function createPlayer(
  video: HTMLVideoElement,
  emit: (e: PlayerEvent) => void,
  choice: PlayerChoice,
): Player | null {
  if (choice.native && NativePlayer.supported(video)) return new NativePlayer(video, emit, choice.now);
  if (HlsPlayer.supported()) return new HlsPlayer(video, emit);
  if (NativePlayer.supported(video)) return new NativePlayer(video, emit, choice.now);
  return null;
}
