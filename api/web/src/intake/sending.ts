/** One file on its way, as pure steps. What is stored is the server's word; what is sent is only what left here. */
import { delayOf } from '../lib/retry.js';
import { NO_FILE, type Trouble } from './trouble.js';

export type Phase =
  /** Waits for its turn. */
  | 'queued'
  | 'sending'
  /** The person stopped it; it goes on when they say so. */
  | 'paused'
  /** The line or the server is down: it goes on by itself. */
  | 'waiting'
  /** The server has all of it. */
  | 'sent'
  /** The server said no. */
  | 'refused';

export interface Sending {
  readonly id: string;
  readonly name: string;
  readonly size: number;
  readonly talk: string | null;
  readonly languages: readonly string[];
  /** The film that this one replaces. */
  readonly asset: string | null;
  phase: Phase;
  /** Bytes that left here. */
  sent: number;
  /** Bytes a second; 0: not known. */
  speed: number;
  /** The server's id, once it has one. */
  upload: string | null;
  trouble: Trouble | null;
  /** Failed tries in a row. */
  tries: number;
  /** It goes on where an earlier try stopped. */
  resumed: boolean;
}

export const RETRY = { first: 1_000, most: 30_000 };

/** The server's refusals that nothing here can change; all else is tried again. */
export function isFinal(t: Trouble): boolean {
  if (t.code === NO_FILE.code) return true;
  if (t.status === 0 || t.status === 408 || t.status === 423 || t.status >= 500) return false;
  if (t.status === 409) return t.code !== 'upload-offset' && t.code !== 'http-409';
  if (t.status === 429) return t.code === 'upload-too-many';
  return true;
}

/** What a failed try does: wait so many ms and try again, or stop (null). */
export function nextTry(t: Trouble, tries: number, random: () => number = Math.random): number | null {
  return isFinal(t) ? null : delayOf(tries, RETRY, random);
}

/** Bytes a second over the last seconds. */
export class Pace {
  #samples: { at: number; sent: number }[] = [];

  /** at: ms. Returns the speed; 0 while it is not known. */
  add(at: number, sent: number): number {
    const last = this.#samples.at(-1);
    if (last !== undefined && sent < last.sent) this.#samples = [];
    this.#samples.push({ at, sent });
    while (this.#samples.length > 2 && at - (this.#samples[0]?.at ?? at) > 8_000) this.#samples.shift();
    const first = this.#samples[0];
    if (first === undefined || at - first.at < 500) return 0;
    return ((sent - first.sent) / (at - first.at)) * 1000;
  }
}

/** Seconds left; null while the speed is not known. */
export function leftOf(s: Pick<Sending, 'size' | 'sent' | 'speed'>): number | null {
  return s.speed < 1 ? null : (s.size - s.sent) / s.speed;
}

/** Still to be said out loud: a new phase, or another quarter of the way. Not each percent. */
export function isNews(
  before: { phase: string; part: number } | null,
  now: { phase: string; part: number },
): boolean {
  if (before === null || before.phase !== now.phase) return true;
  return Math.floor(before.part * 4) !== Math.floor(now.part * 4);
}

/** Is this the file of an upload that stopped? By size and name, as the server cleaned it. */
export function isSameFile(
  file: { name: string; size: number },
  upload: { name: string; size: number },
): boolean {
  return file.size === upload.size && clean(file.name) === clean(upload.name);
}

const clean = (name: string) =>
  name
    .normalize('NFC')
    .replace(/[\s.]+/g, ' ')
    .trim()
    .slice(0, 60);
