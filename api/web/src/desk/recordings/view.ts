/** What the list of recordings shows, out of what the server tells. Pure. */
import type { Asset, Upload } from '../../intake/api.js';
import type { Programme, Talk } from '../../lib/model.js';

/** A talk that lacks a film in some language. */
export interface Missing {
  talk: Talk;
  /** Languages without a film of their own. */
  languages: readonly string[];
  /** Languages whose film is shown instead; empty: there is none at all. */
  instead: readonly string[];
  /** Epoch ms of its hour. */
  starts: number;
}

/** The organizer's list of what is still to come, by hour. Talks that are over are not on it. */
export function missingOf(p: Programme, assets: readonly Asset[]): Missing[] {
  const out: Missing[] = [];
  for (const talk of p.talks) {
    if (talk.state === 'ended' || talk.state === 'replay') continue;
    const has = new Set(
      assets.flatMap((a) => a.talks.filter((t) => t.talk === talk.id).flatMap((t) => t.languages)),
    );
    const languages = p.event.languages.filter((l) => !has.has(l));
    if (languages.length === 0) continue;
    const starts = Math.min(...Object.values(talk.airings).map((a) => a.starts));
    out.push({ talk, languages, instead: p.event.languages.filter((l) => has.has(l)), starts });
  }
  return out.sort((a, b) => a.starts - b.starts || a.talk.id.localeCompare(b.talk.id));
}

/** Films in the order in which they are looked for: those at work, then those that failed, then by hour. */
export function orderOf(assets: readonly Asset[], p: Programme | null): Asset[] {
  const hours = new Map<string, number>();
  for (const t of p?.talks ?? []) {
    hours.set(t.id, Math.min(...Object.values(t.airings).map((a) => a.starts)));
  }
  const hour = (a: Asset) => Math.min(...a.talks.map((t) => hours.get(t.talk) ?? Infinity), Infinity);
  const rank = (a: Asset) => (a.state === 'failed' ? 0 : a.state === 'ready' ? 2 : 1);
  return [...assets].sort(
    (a, b) => rank(a) - rank(b) || compare(hour(a), hour(b)) || a.created.localeCompare(b.created),
  );
}

// Infinity minus Infinity is not a number.
const compare = (a: number, b: number) => (a === b ? 0 : a < b ? -1 : 1);

/** Uploads to show: those that are on their way or stopped, and those that came to grief in the last day. */
export function uploadsToShow(uploads: readonly Upload[], here: ReadonlySet<string>, now: number): Upload[] {
  return uploads.filter((u) => {
    if (here.has(u.id)) return false;
    if (u.state === 'open' || u.state === 'complete') return true;
    return u.state === 'refused' && u.reason !== 'cancelled' && now - Date.parse(u.touched) < 24 * 3600_000;
  });
}

/** Is somebody sending it right now? Bytes came in the last half minute. */
export function isMoving(u: Upload, now: number): boolean {
  return u.state === 'open' && now - Date.parse(u.touched) < 30_000;
}
