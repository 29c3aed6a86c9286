/** Which film a preview shows while a new one takes the place of an old one. Pure. */
import type { Asset, Preview } from './api.js';

export interface Shown {
  preview: Preview;
  /** It is the film from before: what is found in the new one is elsewhere in it. */
  old: boolean;
}

/**
 * What was made (url) is of the film from before until the new one is ready;
 * the file as it came is always of the new one.
 */
export function shownOf(preview: Preview, film: { state: Asset['state']; revision: number }): Shown {
  if (film.state === 'ready' || film.revision === 0) return { preview, old: false };
  if (preview.file === undefined) return { preview, old: true };
  const { file, partial, expires_at } = preview;
  return { preview: { file, partial, expires_at }, old: false };
}
