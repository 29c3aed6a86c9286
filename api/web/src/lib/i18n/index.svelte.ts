import en from '../../i18n/en.json';
import fr from '../../i18n/fr.json';
import type { Language } from '../route.js';
import { type MessageKey, Messages, type Values } from './format.js';

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

/** The text of a key in the page's language. */
export function t(key: MessageKey, values?: Values): string {
  return catalogs[language].text(key, values);
}

/** The viewer's own zone. */
export const viewerZone: string = Intl.DateTimeFormat().resolvedOptions().timeZone;
