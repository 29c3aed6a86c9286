/** Small truths of one recording. Pure. */
import type { Asset, ChapterMark, Consequence, Cue } from '../../intake/api.js';

/** "1:02:03.5", "2:03" or "63" as seconds; NaN when it is no time. */
export function secondsOf(text: string): number {
  const match = /^(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:[.,]\d{1,3})?)$/.exec(text.trim());
  if (match === null) return Number.NaN;
  const [, h, m, s] = match;
  const seconds = Number((s ?? '').replace(',', '.'));
  if (m !== undefined && seconds >= 60) return Number.NaN;
  if (h !== undefined && Number(m) >= 60) return Number.NaN;
  return Number(h ?? 0) * 3600 + Number(m ?? 0) * 60 + seconds;
}

/** Seconds as "1:02:03.500", to the millisecond. */
export function codeOf(seconds: number): string {
  const ms = Math.max(0, Math.round(seconds * 1000));
  const h = Math.floor(ms / 3_600_000);
  const m = Math.floor(ms / 60_000) % 60;
  const s = (ms % 60_000) / 1000;
  const tail = s.toFixed(3).padStart(6, '0');
  return h > 0 ? `${h}:${String(m).padStart(2, '0')}:${tail}` : `${m}:${tail}`;
}

/** A row of the cue editor: what the person writes, checked only when it is saved. */
export interface CueRow {
  key: number;
  id: string;
  start: string;
  end: string;
  text: string;
  settings: string;
}

export function rowsOf(cues: readonly Cue[]): CueRow[] {
  return cues.map((c, i) => ({
    key: i,
    id: c.id ?? '',
    start: codeOf(c.start),
    end: codeOf(c.end),
    text: c.text,
    settings: c.settings ?? '',
  }));
}

export type CueFault = 'start' | 'end' | 'order' | 'text';

export function faultOf(row: CueRow): CueFault | null {
  const start = secondsOf(row.start);
  const end = secondsOf(row.end);
  if (Number.isNaN(start)) return 'start';
  if (Number.isNaN(end)) return 'end';
  if (end <= start) return 'order';
  return row.text.trim() === '' ? 'text' : null;
}

export function cuesOf(rows: readonly CueRow[]): Cue[] {
  return rows
    .map((r) => ({
      start: secondsOf(r.start),
      end: secondsOf(r.end),
      text: r.text.trim(),
      ...(r.id === '' ? {} : { id: r.id }),
      ...(r.settings === '' ? {} : { settings: r.settings }),
    }))
    .sort((a, b) => a.start - b.start || a.end - b.end);
}

/** The chapter in which an instant lies; -1 before the first. */
export function chapterAt(chapters: readonly ChapterMark[], seconds: number): number {
  return chapters.findLastIndex((c) => c.start <= seconds);
}

export type Fit = 'unknown' | 'fits' | 'short' | 'long';

/** A film within half a minute of its slot fits. */
export function fitOf(c: Consequence): Fit {
  if (c.length === 0 || c.slot === 0) return 'unknown';
  if (c.overrun > 0) return c.pushes.length > 0 || c.overrun > 30 ? 'long' : 'fits';
  return c.overrun < -30 ? 'short' : 'fits';
}

/** What the player shows is another film, or another revision of it, when this differs. */
export function playedOf(a: Asset): string {
  return `${a.source.id} ${a.media ?? a.first ?? ''}`;
}

/** Languages in which a talk shows another film than this one. */
export function takenFrom(
  talk: string,
  languages: readonly string[],
  asset: string,
  all: readonly Asset[],
): string[] {
  return languages.filter((l) =>
    all.some((a) => a.id !== asset && a.talks.some((t) => t.talk === talk && t.languages.includes(l))),
  );
}

/** Work that failed or was stopped can be tried again. */
export function mayRetry(a: Asset): boolean {
  return a.state === 'failed' || ['waiting', 'given-up', 'cancelled'].includes(a.job?.state ?? '');
}

export function mayCancel(a: Asset): boolean {
  return ['queued', 'running', 'waiting'].includes(a.job?.state ?? '');
}
