import { describe, expect, it } from 'vitest';
import { Messages } from '../lib/i18n/format.js';
import eagerEn from './en.json';
import eagerFr from './fr.json';
import intakeEn from './intake.en.json';
import intakeFr from './intake.fr.json';

const en = { ...eagerEn, ...intakeEn };
const fr = { ...eagerFr, ...intakeFr };

const NARROW = '\u202f';
const NBSP = '\u00a0';

describe('catalogs', () => {
  it('have the same keys in the same order', () => {
    expect(Object.keys(eagerFr)).toEqual(Object.keys(eagerEn));
    expect(Object.keys(intakeFr)).toEqual(Object.keys(intakeEn));
    expect(Object.keys(en)).toHaveLength(Object.keys(eagerEn).length + Object.keys(intakeEn).length);
  });

  it('leave nothing empty and take the same values', () => {
    for (const key of Object.keys(en) as (keyof typeof en)[]) {
      expect(fr[key].trim(), key).not.toBe('');
      expect(en[key].trim(), key).not.toBe('');
      // An hour is written with one digit in French, with two in English.
      if (key !== 'format.hour') expect(valuesIn(fr[key]), key).toEqual(valuesIn(en[key]));
    }
  });

  it('parse as ICU messages', () => {
    const values = (message: string) =>
      Object.fromEntries(valuesIn(message).map((name) => [name, /^(n|h|hh|m|height)$/.test(name) ? 1 : 'x']));
    for (const [language, catalog] of [['fr', fr] as const, ['en', en] as const]) {
      const messages = new Messages(language, catalog);
      for (const key of Object.keys(en) as (keyof typeof en)[]) {
        expect(() => messages.text(key, values(catalog[key])), key).not.toThrow();
      }
    }
  });
});

describe('French typography', () => {
  for (const [key, raw] of Object.entries(fr)) {
    const text = proseOf(raw);
    it(key, () => {
      for (const sign of [';', '!', '?', '%']) {
        for (const before of charsBefore(text, sign)) expect(before, `before ${sign}`).toBe(NARROW);
      }
      for (const before of charsBefore(text, ':')) expect(before, 'before :').toBe(NBSP);
      for (const before of charsBefore(text, '»')) expect(before, 'before »').toBe(NBSP);
      for (const after of text.split('«').slice(1)) expect(after[0], 'after «').toBe(NBSP);
      expect(text).not.toMatch(/['"“”]/);
      expect(text).not.toContain('...');
    });
  }
});

describe('English typography', () => {
  it('has curly quotes and no space before signs', () => {
    for (const [key, raw] of Object.entries(en)) {
      expect(proseOf(raw), key).not.toMatch(/['"«»]|\s[;:!?]|\.\.\./);
    }
  });
});

describe('hours and zones', () => {
  const at = Date.parse('2026-11-23T13:05:00Z');
  const inFrench = new Messages('fr', fr);
  const inEnglish = new Messages('en', en);

  it('are written by the 24-hour clock', () => {
    expect(inFrench.hour(at, 'Europe/Paris')).toBe(`14${NBSP}h${NBSP}05`);
    expect(inEnglish.hour(at, 'Europe/Paris')).toBe('14:05');
    expect(inFrench.hour(Date.parse('2026-11-23T08:00:00Z'), 'Europe/Paris')).toBe(`9${NBSP}h${NBSP}00`);
  });

  it('follow the zone over both changes of the clock', () => {
    expect(inEnglish.hour(Date.parse('2026-10-25T00:30:00Z'), 'Europe/Paris')).toBe('02:30');
    expect(inEnglish.hour(Date.parse('2026-10-25T01:30:00Z'), 'Europe/Paris')).toBe('02:30');
    expect(inEnglish.hour(Date.parse('2027-03-28T01:30:00Z'), 'Europe/Paris')).toBe('03:30');
  });

  it('name the zone in words', () => {
    expect(inFrench.zone(at, 'Europe/Paris')).toContain('Europe centrale');
    expect(inEnglish.zone(at, 'America/New_York')).toBe('Eastern Time');
  });

  it('have French plurals', () => {
    expect(inFrench.text('watch.count.minutes', { n: 0 })).toBe('minute');
    expect(inFrench.text('watch.count.minutes', { n: 2 })).toBe('minutes');
    expect(inEnglish.text('watch.count.minutes', { n: 0 })).toBe('minutes');
  });
});

/** The words of a message, without ICU's own syntax, and without positions in a film (1:02), which are signs. */
function proseOf(message: string): string {
  return message
    .replace(/\{(\w+), plural,|=0|\bone\b|\bother\b/g, '')
    .replace(/\{\w+\}|\b\d+:\d\d\b/g, 'x')
    .replace(/[{}]/g, '');
}

function charsBefore(text: string, sign: string): string[] {
  return text
    .split(sign)
    .slice(0, -1)
    .map((part) => part.slice(-1));
}

/** Names of the values that a message takes; the branches of plurals are words, not values. */
function valuesIn(message: string): string[] {
  const bare = message.replace(/(?:one|other|=\d+) \{[^{}]*\}/g, '');
  return [...new Set([...bare.matchAll(/\{(\w+)[,}]/g)].map((m) => m[1] as string))].sort();
}
