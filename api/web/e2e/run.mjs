// npm run e2e: a demo conference, watched by a handful of people in Chromium.
// REPRISE_BIN names another binary; E2E_SHOTS keeps the screenshots in a folder of your own; E2E_ONLY=watch or intake runs one half.
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch, sleep, until } from './browser.mjs';
import { Demo } from './demo.mjs';
import { everyLook, missingSound, refusals, soundAndNetwork } from './looks.mjs';
import { checkPlaylists } from './playlists.mjs';
import { desk, handIn, idle, intakeLooks, invitations, makeFilms } from './recordings.mjs';
import { check, close, story } from './report.mjs';
import { auditorium, films, talk } from './watch.mjs';

const began = Date.now();
const binary = process.env.REPRISE_BIN ?? fileURLToPath(new URL('../../../bin/reprise', import.meta.url));
const shots = process.env.E2E_SHOTS ?? (await mkdtemp(join(tmpdir(), 'reprise-shots-')));
await mkdir(shots, { recursive: true });
const only = process.env.E2E_ONLY ?? '';

/** MSN -> URI of a media playlist. */
function segments(text) {
  let msn = Number(/#EXT-X-MEDIA-SEQUENCE:(\d+)/.exec(text)?.[1] ?? 0);
  return new Map(
    text
      .split('\n')
      .filter((l) => l !== '' && !l.startsWith('#'))
      .map((uri) => [msn++, uri]),
  );
}

/** The server dies in the middle of the talk and comes back: what was listed stays what it was (R104, R115). */
async function death(w, demo) {
  const feed = w.ready.feeds[w.talk.auditorium].fr.replace('multivariant.m3u8', 'v360.m3u8');
  await until(w.starts + (w.ends - w.starts) * 0.45);
  const before = segments(await (await fetch(feed)).text());
  await demo.kill();
  await sleep(1_000);
  const at = Date.now();
  await demo.start();
  check('death: the server is back soon', Date.now() - at < 8_000, `${Date.now() - at} ms`);
  const after = segments(await (await fetch(feed)).text());
  const changed = [...before].filter(([msn, uri]) => after.has(msn) && after.get(msn) !== uri);
  check(
    'death: R104 R115 what was listed is unchanged',
    before.size > 0 && changed.length === 0,
    changed.slice(0, 3),
  );
  check('death: R102 numbers go on', Math.max(...after.keys()) >= Math.max(...before.keys()));
}

/** The first talk, watched from its countdown to its replay. */
async function watching(w, demo, first, second) {
  await Promise.all([
    story('auditorium, French, hls.js', (expect) => auditorium(w, 'fr', false, expect)),
    story('talk, English, hls.js', (expect) => talk(w, 'en', false, expect)),
    story('auditorium, English, native', (expect) => auditorium(w, 'en', true, expect)),
    story('talk, French, native', (expect) => talk(w, 'fr', true, expect)),
    story('the server', () => death(w, demo)),
    story('films', (expect) => films(w, second, expect)),
    story('around', async (expect) => {
      await soundAndNetwork(w, expect);
      await until(w.ends + 12_000);
      await refusals(w, expect);
      await everyLook(w, 'countdown', `/a/${first.auditorium}`, '[role=timer]', expect);
      await everyLook(w, 'replay', `/t/${first.id}`, '.veil button', expect);
      await missingSound(w, expect);
      await everyLook(w, 'programme', '', 'h3', expect);
      await everyLook(w, 'desk', '/desk', 'h3', expect);
    }),
  ]);
  checkPlaylists(w.playlists);
}

/** Films come in: after the talks, as making them ready takes the cores that watching is measured on. */
async function intake(w) {
  w.films = await makeFilms();
  await idle(w);
  try {
    await Promise.all([
      story('a speaker', (expect) => handIn(w, expect)),
      story('the desk', (expect) => desk(w, expect)),
      story('invitations', (expect) => invitations(w, expect)),
    ]);
    await story('rooms', (expect) => intakeLooks(w, expect));
  } finally {
    await w.films.remove();
  }
}

const demo = await Demo.make(binary);
const browser = await launch({ autoplay: true });
try {
  const ready = await demo.start();
  const first = ready.talks[0];
  const second = ready.talks.find((t) => t.auditorium !== first.auditorium);
  const w = {
    ready,
    base: ready.base_url,
    key: new URL(ready.url).hash.replace('#k=', ''),
    desk: new URL(ready.organizer_url).hash.replace('#k=', ''),
    talk: first,
    starts: Date.parse(first.starts_at),
    ends: Date.parse(first.ends_at),
    shots,
    browser,
    playlists: new Map(),
  };
  console.log(
    `ready after ${((Date.now() - began) / 1000).toFixed(1)} s, talk 1 in ${((w.starts - Date.now()) / 1000).toFixed(1)} s`,
  );
  check('the demo leaves time to be seen', w.starts - Date.now() > 12_000);

  if (only !== 'intake') await watching(w, demo, first, second);
  if (only !== 'watch') await intake(w);
} catch (e) {
  check('the run', false, e instanceof Error ? e.stack : String(e));
} finally {
  await browser.close();
  await demo.remove();
}
console.log(`screenshots: ${shots}`);
console.log(`e2e: ${((Date.now() - began) / 1000).toFixed(0)} s`);
process.exit(close());
