/** Files that were chosen and are not on their way yet. */
import { guess } from '../../intake/guess.js';
import type { Programme } from '../../lib/model.js';

export interface Drafted {
  id: number;
  file: File;
  talk: string | null;
  /** Empty: all of the event. */
  languages: string[];
  /** The talk was guessed from the name, and nobody has changed it. */
  guessed: boolean;
}

let count = 0;

export function draftOf(file: File, p: Programme | null): Drafted {
  const g = p === null ? { talk: null, languages: [] } : guess(file.name, p.talks, p.event.languages);
  return { id: ++count, file, talk: g.talk, languages: [...g.languages], guessed: g.talk !== null };
}
