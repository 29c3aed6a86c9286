import en from '../../i18n/en.json';
import fr from '../../i18n/fr.json';
import type { Language } from '../route.js';
import { type IntakeKey, type MessageKey, Messages, type Values } from './format.js';

const catalogs = { fr: new Messages('fr', fr), en: new Messages('en', en) };

let language = $state<Language>('en');

/** The page's language; views that read it change with it. */
export const i18n = {
  get language(): Language {
    return language;
  },
  set language(l: Language) {
    language = l;
  },
  /** Formatters of the page's language. */
  get in(): Messages {
    return catalogs[language];
  },
};

/** Adds the words of rooms that are loaded later. */
export function addWords(words: Record<Language, Readonly<Record<IntakeKey, string>>>): void {
  for (const l of ['fr', 'en'] as const) catalogs[l].add(words[l]);
}

/** The text of a key in the page's language. */
export function t(key: MessageKey, values?: Values): string {
  return catalogs[language].text(key, values);
}

/** The viewer's own zone. */
export const viewerZone: string = Intl.DateTimeFormat().resolvedOptions().timeZone;
