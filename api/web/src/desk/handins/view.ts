/** Where a hand-in stands. Pure. */
import type { Asset, HandIn } from '../../intake/api.js';

export type HandInState =
  | 'revoked'
  | 'unopened'
  | 'accepted'
  | 'sending'
  | 'working'
  | 'refused'
  | 'ready'
  | 'late';

export function stateOf(h: HandIn, asset: Asset | undefined, now: number): HandInState {
  if (h.revoked !== undefined) return 'revoked';
  const last = h.uploads.at(-1);
  if (last?.state === 'open') return 'sending';
  if (asset !== undefined && h.asset !== undefined) {
    if (asset.state === 'failed') return 'refused';
    return asset.state === 'ready' && last?.state !== 'complete' ? 'ready' : 'working';
  }
  if (last?.state === 'complete' || last?.state === 'taken') return 'working';
  if (now >= Date.parse(h.deadline)) return 'late';
  return h.accepted === undefined ? 'unopened' : 'accepted';
}
