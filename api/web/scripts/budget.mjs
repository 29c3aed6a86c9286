// Holds the page to its byte budget (gzip): what a phone loads before anything is
// shown, what it loads to play, and what the rooms load where films come in.
// Raise a number only in the change that needs it.
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

/** The first pattern that fits a chunk's name takes it. */
const MOST = [
  { what: 'eager', most: 60_000 },
  { what: 'player', chunk: /^player-/, most: 260_000 },
  { what: 'sending (tus)', chunk: /^(lib\.esm|browser|tus)/, most: 22_000 },
  { what: 'desk', chunk: /^DeskRooms-/, most: 32_000 },
  { what: 'hand-in', chunk: /^HandInPage-/, most: 8_000 },
  { what: 'desk and hand-in', chunk: /./, most: 32_000 },
];

const dist = new URL('../dist/', import.meta.url);
let html;
try {
  html = readFileSync(new URL('index.html', dist), 'utf8');
} catch {
  console.error('budget: no build; run npm run build first');
  process.exit(1);
}
const sums = new Map(MOST.map((m) => [m.what, 0]));
let css = 0;
for (const name of readdirSync(new URL('assets/', dist))) {
  const size = gzipSync(readFileSync(new URL(`assets/${name}`, dist)), { level: 9 }).length;
  if (name.endsWith('.css')) css += size;
  if (!name.endsWith('.js')) continue;
  const of = html.includes(name) ? MOST[0] : MOST.find((m) => m.chunk?.test(name));
  sums.set(of.what, sums.get(of.what) + size);
}
for (const { what, most } of MOST) console.log(`budget: ${what} ${sums.get(what)} of ${most} B`);
console.log(`budget: CSS ${css} B`);
if (MOST.slice(0, 5).some(({ what }) => sums.get(what) === 0)) {
  console.error('budget: a chunk is missing: the split is broken');
  process.exit(1);
}
if (MOST.some(({ what, most }) => sums.get(what) > most)) {
  console.error('budget: exceeded');
  process.exit(1);
}
