// Holds the page to its byte budget (gzip): what a phone loads before anything is
// shown, and what it loads to play. Raise a number only in the change that needs it.
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const EAGER_MOST = 60_000;
const LAZY_MOST = 260_000;

const dist = new URL('../dist/', import.meta.url);
let html;
try {
  html = readFileSync(new URL('index.html', dist), 'utf8');
} catch {
  console.error('budget: no build; run npm run build first');
  process.exit(1);
}
const sum = { eager: 0, lazy: 0, css: 0 };
for (const name of readdirSync(new URL('assets/', dist))) {
  const size = gzipSync(readFileSync(new URL(`assets/${name}`, dist)), { level: 9 }).length;
  if (name.endsWith('.css')) sum.css += size;
  else if (name.endsWith('.js')) sum[html.includes(name) ? 'eager' : 'lazy'] += size;
}
console.log(
  `budget: eager JS ${sum.eager} of ${EAGER_MOST} B, lazy JS ${sum.lazy} of ${LAZY_MOST} B, CSS ${sum.css} B (gzip)`,
);
if (sum.eager === 0 || sum.lazy === 0) {
  console.error('budget: the build has no eager or no lazy script: the split is broken');
  process.exit(1);
}
if (sum.eager > EAGER_MOST || sum.lazy > LAZY_MOST) {
  console.error('budget: exceeded');
  process.exit(1);
}
