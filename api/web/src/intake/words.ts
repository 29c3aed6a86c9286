/** The words of the rooms where films come in; they are loaded with those rooms. */
import en from '../i18n/intake.en.json';
import fr from '../i18n/intake.fr.json';
import { addWords, i18n, t } from '../lib/i18n/index.svelte.js';
import type { Language } from '../lib/route.js';

addWords({ fr, en });

const STEPS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

/** "12,3 Mo" or "12.3 MB"; a thousand bytes are a kilobyte, as in file managers and in what operators set. */
export function bytes(n: number, language: Language = i18n.language, per = ''): string {
  let step = 0;
  let value = Math.max(0, n);
  while (value >= 1000 && step < STEPS.length - 1) {
    value /= 1000;
    step++;
  }
  return new Intl.NumberFormat(locale(language), {
    style: 'unit',
    unit: `${STEPS[step]}${per}`,
    unitDisplay: 'short',
    maximumFractionDigits: value < 10 && step > 1 ? 1 : 0,
  }).format(value);
}

export const rate = (bytesASecond: number, language: Language = i18n.language) =>
  bytes(bytesASecond, language, '-per-second');

/** A part of one, as "45 %" or "45%"; never 100 before the end. */
export function percent(part: number, language: Language = i18n.language): string {
  const whole = part >= 1 ? 1 : Math.min(0.99, Math.max(0, part));
  return new Intl.NumberFormat(locale(language), { style: 'percent', maximumFractionDigits: 0 }).format(
    whole,
  );
}

export function number(n: number, digits = 1, language: Language = i18n.language): string {
  return new Intl.NumberFormat(locale(language), { maximumFractionDigits: digits }).format(n);
}

/** A length of time, about: "40 s", "3 min", "1 h 05". */
export function span(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return t('span.seconds', { n: s });
  const minutes = Math.round(s / 60);
  if (minutes < 60) return t('span.minutes', { n: minutes });
  return t('span.hours', { h: String(Math.floor(minutes / 60)), m: String(minutes % 60).padStart(2, '0') });
}

/** A length of time, to the second: "12 min 05 s". */
export function exactSpan(seconds: number): string {
  const s = Math.round(Math.abs(seconds));
  if (s < 60) return t('span.seconds', { n: s });
  if (s % 60 === 0 && s < 3600) return t('span.minutes', { n: s / 60 });
  if (s < 3600) return t('span.exact', { m: String(Math.floor(s / 60)), s: String(s % 60).padStart(2, '0') });
  return t('span.hours', {
    h: String(Math.floor(s / 3600)),
    m: String(Math.floor(s / 60) % 60).padStart(2, '0'),
  });
}

/** A day and hour in a zone: "mardi 24 novembre à 19 h 00". */
export function moment(ms: number, zone: string): string {
  return t('moment', { day: i18n.in.day(ms, zone), hour: i18n.in.hour(ms, zone) });
}

function locale(language: Language): string {
  return language === 'en' ? 'en-GB' : language;
}
