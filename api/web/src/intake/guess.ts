/** Which talk and languages a file is for, by its name: an offer that the person sees and changes. */
import type { Talk } from '../lib/model.js';

export interface Target {
  /** null: for no talk yet. */
  talk: string | null;
  /** Empty: all of the event. */
  languages: readonly string[];
}

/** Words of a name, without accents and capitals. */
export function wordsIn(name: string): string[] {
  return name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((w) => w !== '');
}

const LANGUAGE_WORDS: Readonly<Record<string, string>> = {
  francais: 'fr',
  francaise: 'fr',
  french: 'fr',
  vf: 'fr',
  fra: 'fr',
  fre: 'fr',
  anglais: 'en',
  anglaise: 'en',
  english: 'en',
  eng: 'en',
  va: 'en',
};

/** Words that stand in many titles tell little. */
const LEAST_WORD = 4;

export function guess(name: string, talks: readonly Talk[], languages: readonly string[]): Target {
  const words = wordsIn(name.replace(/\.[^.]*$/, ''));
  const found = new Set(words);
  let best: { talk: string; score: number } | null = null;
  let tied = false;
  for (const talk of talks) {
    const score = scoreOf(talk, found);
    if (score === 0 || (best !== null && score < best.score)) continue;
    tied = best !== null && score === best.score;
    best = { talk: talk.id, score };
  }
  const named = words.map((w) => LANGUAGE_WORDS[w] ?? w).filter((w) => languages.includes(w));
  const unique = languages.filter((l) => named.includes(l));
  return {
    talk: best === null || tied ? null : best.talk,
    languages: unique.length === languages.length ? [] : unique,
  };
}

function scoreOf(talk: Talk, found: ReadonlySet<string>): number {
  let score = 0;
  const id = wordsIn(talk.id);
  if (id.length > 0 && id.every((w) => found.has(w))) score += 10;
  for (const speaker of talk.speakers) {
    const last = wordsIn(speaker).at(-1);
    if (last !== undefined && found.has(last)) score += 5;
  }
  const titles = new Set(Object.values(talk.title).flatMap(wordsIn));
  for (const w of titles) if (w.length >= LEAST_WORD && found.has(w)) score += 2;
  return score;
}
