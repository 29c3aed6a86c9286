import { IntlMessageFormat } from 'intl-messageformat';
import type catalog from '../../i18n/en.json';
import type intake from '../../i18n/intake.en.json';
import type { Language } from '../route.js';

/** Keys that every page has. */
export type EagerKey = keyof typeof catalog;
/** Keys that come with the rooms of the desk and of handing in. */
export type IntakeKey = keyof typeof intake;
export type MessageKey = EagerKey | IntakeKey;
export type Values = Record<string, string | number>;

/** Formats one catalog's messages; a message is parsed once. */
export class Messages {
  readonly #parsed = new Map<MessageKey, IntlMessageFormat>();
  #catalog: Readonly<Record<string, string>>;
  readonly language: Language;

  constructor(language: Language, catalog: Readonly<Record<EagerKey, string>>) {
    this.language = language;
    this.#catalog = catalog;
  }

  /** Adds the words of rooms that are loaded later. */
  add(catalog: Readonly<Record<IntakeKey, string>>): void {
    this.#catalog = { ...this.#catalog, ...catalog };
  }

  text(key: MessageKey, values?: Values): string {
    let message = this.#parsed.get(key);
    if (message === undefined) {
      message = new IntlMessageFormat(this.#catalog[key] ?? key, this.language, undefined, {
        ignoreTag: true,
      });
      this.#parsed.set(key, message);
    }
    return String(message.format(values));
  }

  /** Hour and minute in a zone: "14 h 00" or "14:00"; a dash for an hour that is not known. */
  hour(ms: number, zone: string): string {
    if (!Number.isFinite(ms)) return '–';
    const parts = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    }).formatToParts(ms);
    const of = (type: string) => parts.find((p) => p.type === type)?.value ?? '';
    return this.text('format.hour', { h: String(Number(of('hour'))), hh: of('hour'), m: of('minute') });
  }

  /** "lundi 23 novembre" or "Monday 23 November". */
  day(ms: number, zone: string): string {
    const locale = this.language === 'en' ? 'en-GB' : this.language;
    return new Intl.DateTimeFormat(locale, {
      timeZone: zone,
      weekday: 'long',
      day: 'numeric',
      month: 'long',
    })
      .format(ms)
      .replace(/,/g, '')
      .replace(/(?<= )1(?= )/, this.language === 'fr' ? '1er' : '1');
  }

  /** A day with its year, for things months away. */
  date(ms: number, zone: string): string {
    const locale = this.language === 'en' ? 'en-GB' : this.language;
    return new Intl.DateTimeFormat(locale, { timeZone: zone, dateStyle: 'long' }).format(ms);
  }

  /** The zone in words: "heure d’Europe centrale". */
  zone(ms: number, zone: string): string {
    const locale = this.language === 'en' ? 'en-GB' : this.language;
    const name = new Intl.DateTimeFormat(locale, { timeZone: zone, timeZoneName: 'longGeneric' })
      .formatToParts(ms)
      .find((p) => p.type === 'timeZoneName')?.value;
    return (name ?? zone).replace(/'/g, '’');
  }

  /** Name of a language, in the page's language: "français". */
  languageName(tag: string): string {
    return new Intl.DisplayNames([this.language], { type: 'language' }).of(tag) ?? tag;
  }

  /** Names joined: "A, B et C". */
  list(items: readonly string[]): string {
    return new Intl.ListFormat(this.language, { type: 'conjunction' }).format(items);
  }
}

/** Do two zones show the same hour at this instant? */
export function sameHour(ms: number, a: string, b: string): boolean {
  const show = (zone: string) =>
    new Intl.DateTimeFormat('en-GB', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' }).format(ms);
  return show(a) === show(b);
}

/** Whole seconds left until an instant, never negative. A second is over when it is over: 0.2 s left is 1. */
export function secondsLeft(until: number, now: number): number {
  return Math.max(0, Math.ceil((until - now) / 1000));
}

export interface Left {
  days: number;
  hours: number;
  minutes: number;
  seconds: number;
}

export function split(seconds: number): Left {
  return {
    days: Math.floor(seconds / 86_400),
    hours: Math.floor(seconds / 3600) % 24,
    minutes: Math.floor(seconds / 60) % 60,
    seconds: seconds % 60,
  };
}

/** Media position as "1:02:03" or "2:03". */
export function position(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const h = Math.floor(whole / 3600);
  const m = Math.floor(whole / 60) % 60;
  const s = String(whole % 60).padStart(2, '0');
  return h > 0 ? `${h}:${String(m).padStart(2, '0')}:${s}` : `${m}:${s}`;
}
