import { isLanguage, type Language } from './route.js';

/** What a person chose, kept in the browser: it survives every boundary, reload and talk. */
export interface Prefs {
  language: Language | null;
  captions: boolean;
  /** Height of the chosen rung; null: automatic. */
  quality: number | null;
  volume: number;
  muted: boolean;
}

const NAME = 'reprise.prefs';
export const DEFAULTS: Prefs = { language: null, captions: false, quality: null, volume: 1, muted: false };

export function parsePrefs(json: string | null): Prefs {
  let raw: unknown = null;
  try {
    raw = json === null ? null : JSON.parse(json);
  } catch {
    // Written by an older page or by hand: start afresh.
  }
  if (typeof raw !== 'object' || raw === null) return { ...DEFAULTS };
  const r = raw as Record<string, unknown>;
  const volume = r['volume'];
  return {
    language: isLanguage(r['language']) ? r['language'] : null,
    captions: r['captions'] === true,
    quality: typeof r['quality'] === 'number' ? r['quality'] : null,
    volume: typeof volume === 'number' && volume >= 0 && volume <= 1 ? volume : 1,
    muted: r['muted'] === true,
  };
}

export function loadPrefs(): Prefs {
  try {
    return parsePrefs(localStorage.getItem(NAME));
  } catch {
    return { ...DEFAULTS };
  }
}

export function savePrefs(change: Partial<Prefs>): Prefs {
  const prefs = { ...loadPrefs(), ...change };
  try {
    localStorage.setItem(NAME, JSON.stringify(prefs));
  } catch {
    // Storage forbidden: the choice lasts as long as the page.
  }
  return prefs;
}
