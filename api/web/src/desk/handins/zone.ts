/** Hours in the event's zone, as <input type="datetime-local"> writes them. Pure. */

/** "2026-11-24T19:00" of an instant, in a zone. */
export function localIn(ms: number, zone: string): string {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(ms);
  const of = (type: string) => parts.find((p) => p.type === type)?.value ?? '';
  return `${of('year').padStart(4, '0')}-${of('month')}-${of('day')}T${of('hour')}:${of('minute')}`;
}

/**
 * The instant of an hour in a zone, epoch ms; NaN for what is no hour. An hour
 * that comes twice (clocks go back) is the first; one that does not exist (clocks
 * go forward) is as much later as the clocks jump.
 */
export function instantIn(local: string, zone: string): number {
  const wall = Date.parse(`${local}Z`);
  if (Number.isNaN(wall)) return Number.NaN;
  const offset = (ms: number) => Date.parse(`${localIn(ms, zone)}Z`) - Math.floor(ms / 60_000) * 60_000;
  const hour = 3_600_000;
  const candidates = [...new Set([offset(wall - 24 * hour), offset(wall + 24 * hour), offset(wall)])]
    .map((o) => wall - o)
    .sort((a, b) => a - b);
  const exact = candidates.find((ms) => localIn(ms, zone) === local.slice(0, 16));
  return exact ?? wall - offset(wall - 24 * hour);
}
