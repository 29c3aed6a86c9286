/** Sentences that depend on what the server says of films, uploads and work. */

import type { IntakeKey } from '../lib/i18n/format.js';
import { i18n, t } from '../lib/i18n/index.svelte.js';
import type { Asset, AssetFinding, Job, Progress, Upload } from './api.js';
import { leftOf, type Sending } from './sending.js';
import type { Trouble } from './trouble.js';
import { bytes, number, percent, rate, span } from './words.js';

export function troubleText(trouble: Trouble): string {
  if (trouble.code === 'file-unreadable') return t('trouble.file');
  if (trouble.status === 0) return t(navigator.onLine ? 'trouble.network' : 'trouble.offline');
  if (trouble.code === 'staff-only' || trouble.code === 'token-missing') return t('trouble.desk');
  if (trouble.detail !== '') return trouble.detail;
  return t('trouble.other', { code: trouble.code });
}

/** A finding in the page's language. */
export function findingText(f: AssetFinding): string {
  return i18n.language === 'fr' ? f.fr : f.en;
}

type StageKey = Extract<IntakeKey, `stage.${string}`>;
const STAGES: readonly string[] = ['checking', 'measuring', 'first', 'encoding', 'packaging', 'pictures'];

/** "Conversion en cours, 45 %, environ 3 min, sur studio-2". */
export function progressText(state: Asset['state'], part: number, p: Progress): string {
  const stage = STAGES.includes(p.stage ?? '')
    ? (p.stage as string)
    : state === 'uploaded'
      ? 'queued'
      : 'working';
  const words = [t(`stage.${stage}` as StageKey)];
  if (state === 'probing' || state === 'processing') words.push(percent(part));
  if (p.speed > 0) words.push(t('progress.speed', { speed: number(p.speed) }));
  if (p.left_seconds > 0) words.push(t('progress.left', { time: span(p.left_seconds) }));
  if (p.node !== undefined && p.node !== '') words.push(t('progress.node', { node: p.node }));
  return words.join(t('join'));
}

export const isWorking = (state: Asset['state']) =>
  state === 'uploaded' || state === 'probing' || state === 'processing' || state === 'uploading';

/** "120 Mo sur 4,2 Go, 12 Mo/s, environ 5 min". */
export function sendingText(s: Sending): string {
  switch (s.phase) {
    case 'queued':
      return t('sending.queued', { size: bytes(s.size) });
    case 'sent':
      return t('sending.sent', { size: bytes(s.size) });
    case 'refused':
      return t('sending.refused');
    default: {
      const words = [t('sending.of', { sent: bytes(s.sent), size: bytes(s.size) })];
      if (s.phase === 'paused') words.unshift(t('sending.paused'));
      if (s.phase === 'sending' && s.speed > 0) words.push(rate(s.speed));
      const left = leftOf(s);
      if (s.phase === 'sending' && left !== null) words.push(t('progress.left', { time: span(left) }));
      return words.join(t('join'));
    }
  }
}

const UPLOAD_REASONS: readonly string[] = ['checksum', 'cancelled', 'expired'];

export function uploadReason(u: Upload): string {
  const reason = UPLOAD_REASONS.includes(u.reason ?? '')
    ? (u.reason as 'checksum' | 'cancelled' | 'expired')
    : 'other';
  return t(`upload.reason.${reason}`);
}

/** Name of a sound's language; files often do not say it. */
export function soundName(tag: string): string {
  return tag === '' || tag === 'und' ? t('report.unsaid') : i18n.in.languageName(tag);
}

/** Names of languages; none named means all of the event. */
export function languagesText(languages: readonly string[]): string {
  return languages.length === 0
    ? t('languages.all')
    : i18n.in.list(languages.map((l) => i18n.in.languageName(l)));
}

export function jobText(job: Job): string {
  return t(`job.${job.kind}`, { language: job.language ? i18n.in.languageName(job.language) : '' });
}
