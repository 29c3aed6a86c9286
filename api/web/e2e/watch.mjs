// The first talk, watched: each story is one person with one page.
import { longestFrameGap, longestStall, measured, open, sleep, until } from './browser.mjs';

const STALL_MOST = 0.5;
/** A player has settled this long after its first frame, ms. */
const SETTLE_MS = 20_000;

/** @typedef {{ base: string, key: string, talk: any, shots: string, browser: any, playlists: Map<string,string> }} World */

const address = (w, path, query) => `${w.base}${path}?${query}#k=${w.key}`;
const state = (page) => page.evaluate(() => window.__reprise.state());
const shot = (w, page, name) => page.screenshot({ path: `${w.shots}/${name}.png` });
const text = (page, selector) => page.locator(selector).first().innerText();

/** Waits until a condition of the page's own measurements holds. */
async function reach(page, words, condition, timeout = 20_000, value = undefined) {
  try {
    // A function, never a string: the page's security policy does not let strings be run.
    await page.waitForFunction(condition, value, { timeout, polling: 100 });
    return true;
  } catch {
    const events = await page
      .evaluate(() => window.__reprise.events.slice(-12).map((e) => `${e.is} ${e.detail}`))
      .catch(() => []);
    console.log(
      `     never reached: ${words}`,
      JSON.stringify(await state(page).catch(() => null)),
      events.join(', '),
    );
    return false;
  }
}

async function boundary(page, expect, name, at) {
  const { samples, frames } = await measured(page);
  const stall = longestStall(samples, at - 4_000, at + 4_000);
  const gap = longestFrameGap(frames, at - 4_000, at + 4_000);
  expect(`no stall over ${STALL_MOST} s at the ${name}`, stall <= STALL_MOST, {
    stall: Number(stall.toFixed(3)),
    frameGap: gap === null ? null : Number(gap.toFixed(3)),
  });
}

/** Samples the sync error until an instant; median and worst of what came after the player had settled. */
async function sync(page, from, to) {
  const errors = [];
  await until(from);
  while (Date.now() < to) {
    const e = await page.evaluate(() => {
      const s = window.__reprise.store;
      return s.following === 'live' && s.shown !== null ? window.__reprise.syncError() : null;
    });
    if (e !== null) errors.push(Math.abs(e));
    await sleep(250);
  }
  errors.sort((a, b) => a - b);
  return {
    n: errors.length,
    median: errors[Math.floor(errors.length / 2)] ?? NaN,
    worst: errors.at(-1) ?? NaN,
  };
}

const faultsOf = (page) => page.evaluate(() => window.__reprise.events.filter((e) => e.is === 'fatal'));

/** The auditorium: countdown, slate -> talk -> slate, then the replay that is offered. */
export async function auditorium(w, language, native, expect) {
  const page = await open(w.browser, { language, playlists: native ? null : w.playlists });
  const name = `auditorium-${language}-${native ? 'native' : 'hls'}`;
  await page.goto(address(w, `/${language}/a/${w.talk.auditorium}`, `debug=1${native ? '&native=1' : ''}`));
  await page.waitForSelector('[role=timer]');
  expect('the key is not in the address', !page.url().includes('k='), page.url());
  await page.reload();
  await page.waitForSelector('[role=timer]');
  expect('the countdown names the talk', (await text(page, '.interlude .title')) === w.talk.titles[language]);
  const hour = await text(page, '.interlude .hour');
  const pattern =
    language === 'fr'
      ? /\d{1,2}\u00a0h\u00a0\d\d, heure d’Europe centrale/
      : /\d\d:\d\d, Central European Time/;
  expect('the countdown names the hour in the event’s zone', pattern.test(hour), hour);
  expect(
    'and in the viewer’s own where it differs',
    hour.includes('Eastern Time') === (language === 'en'),
    hour,
  );
  // Taken over a busy line it is in doubt at first; the page measures again every few seconds.
  const off = () => window.__reprise.now() - performance.timeOrigin - performance.now();
  await reach(
    page,
    'clock',
    () => Math.abs(window.__reprise.now() - performance.timeOrigin - performance.now()) < 100,
    15_000,
  );
  const left = await page.evaluate(off);
  expect('the server’s clock is known', Math.abs(left) < 100, left);
  expect(
    'the slate plays',
    await reach(page, 'playing', () => window.__reprise.store.pictured && !window.__reprise.store.paused),
  );
  await shot(w, page, `${name}-1-countdown`);

  // Chromium's own player runs some seconds ahead, and nothing can hold it.
  await until(w.starts - (native ? 9_000 : 500));
  expect('the countdown is there until the talk starts', (await page.locator('[role=timer]').count()) === 1);
  await until(w.starts + (native ? 5_000 : 1_500));
  expect('and gone when it has', (await page.locator('[role=timer]').count()) === 0);
  await until(w.starts + 4_500);
  await page.mouse.move(400, 300);
  await shot(w, page, `${name}-2-talk`);
  await boundary(page, expect, 'start', w.starts);

  const first = await page.evaluate(() => window.__m.samples.find((s) => !s[2] && s[1] > 0)?.[0]);
  const settled = await sync(page, Math.max(first + SETTLE_MS, w.starts), w.ends - 500);
  const s = await state(page);
  if (native) {
    console.log(`     ${name}: sync by estimate (exact: ${s.exact})`, settled);
    expect('the native player plays near the air', settled.n > 0 && settled.median < 5, settled);
  } else {
    expect(
      'sync error: median under 0.15 s, worst under 0.5 s',
      settled.median < 0.15 && settled.worst < 0.5,
      settled,
    );
  }
  const whole = longestStall((await measured(page)).samples, w.starts + 1_000, w.ends - 1_000);
  if (!native)
    expect('the server’s death and return are not seen', whole <= STALL_MOST, Number(whole.toFixed(3)));

  await until(w.ends + 4_500);
  await boundary(page, expect, 'end', w.ends);
  expect('slate goes on after the talk', (await state(page)).phase === 'playing');
  const offer = page.locator('.finished a');
  expect('the replay of the talk that ended is offered', (await offer.count()) === 1);
  await shot(w, page, `${name}-3-after`);
  await offer.click();
  await page.waitForSelector('.veil button');
  await page.locator('.veil button').click();
  expect(
    'the replay plays',
    await reach(page, 'replay', () => window.__reprise.store.isReplay && window.__reprise.store.position > 3),
  );
  expect('no fatal error', (await faultsOf(page)).length === 0 || native, await faultsOf(page));
  expect('nothing thrown or complained of', page.faults.length === 0, page.faults);
  await shot(w, page, `${name}-4-replay`);
  await page.context().close();
}

/** The talk's page: language in place, captions, keyboard, live -> replay without a reload. */
export async function talk(w, language, native, expect) {
  const other = language === 'fr' ? 'en' : 'fr';
  const page = await open(w.browser, { language, playlists: native ? null : w.playlists });
  const name = `talk-${language}-${native ? 'native' : 'hls'}`;
  await page.goto(address(w, `/${language}/t/${w.talk.id}`, `debug=1${native ? '&native=1' : ''}`));
  await page.evaluate(() => {
    window.__same = true;
  });
  if (native) await switchFeed(page, language, other, expect);
  await until(w.starts + 3_000);
  expect(
    'plays',
    await reach(
      page,
      'playing',
      () => window.__reprise.store.pictured && window.__reprise.store.position > 0,
    ),
  );
  if (!native) {
    await captions(w, page, language, name, expect);
    await switchInPlace(page, language, other, expect);
    await keyboard(page, expect);
  }
  await until(w.ends);
  const over = await reach(page, 'replay', () => window.__reprise.store.isReplay, 15_000);
  expect('live becomes replay', over, await state(page));
  await page.waitForSelector('.veil button');
  const words = await text(page, '.veil .title');
  const now = page.url().includes('/fr/') ? 'fr' : 'en';
  const wanted =
    now === 'fr'
      ? 'La conférence est terminée. Vous êtes sur la rediffusion.'
      : 'The talk has ended. You are watching the replay.';
  expect('and says so', words === wanted, words);
  expect('without a reload', await page.evaluate(() => window.__same === true));
  await shot(w, page, `${name}-3-handover`);
  await page.locator('.veil button').click();
  const plays = await reach(page, 'from the beginning', () => {
    const s = window.__reprise.store;
    return s.isReplay && !s.paused && s.position > 1 && s.position < 20;
  });
  expect('the replay starts from the beginning', plays, await state(page));
  if (!native) {
    await page.keyboard.press('5');
    const half = await reach(page, 'half', () => {
      const s = window.__reprise.store;
      return Math.abs(s.position / s.duration - 0.5) < 0.1;
    });
    expect('digits jump in the replay', half);
  }
  expect('no fatal error', (await faultsOf(page)).length === 0 || native, await faultsOf(page));
  expect('nothing thrown or complained of', page.faults.length === 0, page.faults);
  await page.context().close();
}

/** Words of the cues that are shown now, in a language. */
const cues = (page, language) =>
  page.evaluate((l) => {
    const tracks = [...document.querySelector('video').textTracks];
    const shown = tracks.filter((t) => t.mode === 'showing');
    return {
      languages: shown.map((t) => t.language),
      words: shown
        .filter((t) => t.language === l)
        .flatMap((t) => [...(t.activeCues ?? [])].map((c) => c.text)),
    };
  }, language);

async function captions(w, page, language, name, expect) {
  expect('captions are off at first', (await cues(page, language)).languages.length === 0);
  await page.keyboard.press('c');
  let shown = await cues(page, language);
  for (let i = 0; i < 60 && shown.words.length === 0; i++) {
    await sleep(200);
    shown = await cues(page, language);
  }
  expect('c shows captions in the page’s language', shown.words.length > 0, shown);
  await page.mouse.move(400, 300);
  await shot(w, page, `${name}-2-captions`);
}

async function switchInPlace(page, language, other, expect) {
  const opens = () => page.evaluate(() => window.__reprise.events.filter((e) => e.is === 'open').length);
  const before = await opens();
  const choose = (l) => page.locator(`header input[value=${l}]`).check({ force: true });
  await choose(other);
  const sound = await reach(page, 'sound', (l) => window.__reprise.state().sound === l, 20_000, other);
  expect('the sound changes language', sound, (await state(page)).sound);
  expect('in place', (await opens()) === before && (await page.evaluate(() => window.__same === true)));
  expect('the address follows', page.url().includes(`/${other}/`), page.url());
  expect('so do the words', (await page.evaluate(() => document.documentElement.lang)) === other);
  let shown = await cues(page, other);
  for (let i = 0; i < 60 && shown.words.length === 0; i++) {
    await sleep(200);
    shown = await cues(page, other);
  }
  expect('and the captions', shown.words.length > 0 && !shown.languages.includes(language), shown);
  await choose(language);
  await reach(page, 'sound back', (l) => window.__reprise.state().sound === l, 20_000, language);
  expect('and back', (await opens()) === before && page.url().includes(`/${language}/`));
  await page.keyboard.press('Escape');
  await page.locator('h1').click();
}

async function switchFeed(page, language, other, expect) {
  await reach(page, 'slate', () => window.__reprise.store.pictured);
  await page.locator(`header input[value=${other}]`).check({ force: true });
  const moved = await reach(
    page,
    'feed',
    (l) => window.__reprise.state().feed === l && window.__reprise.store.pictured,
    20_000,
    other,
  );
  expect('the feed changes language', moved, await state(page));
  await page.locator(`header input[value=${language}]`).check({ force: true });
  await reach(
    page,
    'feed back',
    (l) => window.__reprise.state().feed === l && window.__reprise.store.pictured,
    20_000,
    language,
  );
}

/** The picture by keyboard alone, and a walk through all that takes the focus. */
async function keyboard(page, expect) {
  const is = (words, condition) => reach(page, words, condition, 6_000);
  await tabWalk(page, expect);
  await page.locator('h1').click();
  await page.keyboard.press('k');
  expect('k pauses', await is('paused', () => window.__reprise.store.paused));
  await sleep(2_500);
  await page.keyboard.press(' ');
  expect(
    'space plays on, behind the air',
    await is('behind', () => window.__reprise.store.following === 'behind'),
  );
  expect('and offers the way back', (await page.locator('.back').count()) === 1);
  await page.keyboard.press('b');
  expect('b goes back to the air', await is('live', () => Math.abs(window.__reprise.syncError()) < 0.7));
  await page.keyboard.press('j');
  expect('j goes back ten seconds', await is('ten back', () => window.__reprise.syncError() < -6));
  await page.keyboard.press('b');
  await page.keyboard.press('ArrowRight');
  expect('nobody gets ahead of the air', await is('not ahead', () => window.__reprise.syncError() < 0.7));
  await page.keyboard.press('m');
  expect('m mutes', await is('muted', () => document.querySelector('video').muted));
  await page.keyboard.press('m');
  await page.keyboard.press('ArrowDown');
  expect(
    'arrows change the volume',
    await is('volume', () => Math.abs(document.querySelector('video').volume - 0.9) < 0.01),
  );
  await page.keyboard.press('?');
  expect('? helps', await is('dialog', () => document.querySelector('dialog').open));
  await page.keyboard.press('Escape');
  expect('Escape closes', await is('closed', () => !document.querySelector('dialog').open));
  await page.keyboard.press('f');
  expect('f fills the screen', await is('fullscreen', () => document.fullscreenElement !== null));
  await page.keyboard.press('f');
  await is('no fullscreen', () => document.fullscreenElement === null);
}

/** Everything that takes the focus, in the order of Tab. */
async function tabWalk(page, expect) {
  const walk = [];
  await page.evaluate(() => document.querySelector('.skip').focus());
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const e = document.activeElement;
      if (e === null || e === document.body) return null;
      const box = (e.matches('.unseen') ? e.parentElement : e).getBoundingClientRect();
      const inner = e.shadowRoot?.activeElement;
      const name =
        e.getAttribute('aria-label') ??
        inner?.getAttribute('aria-label') ??
        e.labels?.[0]?.innerText ??
        e.innerText ??
        '';
      return {
        tag: e.tagName.toLowerCase(),
        name: name.trim().slice(0, 40),
        seen: box.width > 0 && box.height > 0,
      };
    });
    if (at === null) break;
    walk.push(at);
  }
  const tags = walk.map((a) => a.tag);
  expect(
    'everything is reached by Tab',
    ['media-play-button', 'media-mute-button', 'select', 'media-fullscreen-button'].every((t) =>
      tags.includes(t),
    ),
    tags,
  );
  expect(
    'everything that takes the focus has a name and is seen',
    walk.every((a) => a.name !== '' && a.seen),
    walk.filter((a) => a.name === '' || !a.seen),
  );
}

/** A talk with a film for each language: the choice moves to the other feed at the same instant of air. */
export async function films(w, second, expect) {
  const page = await open(w.browser, { language: 'fr' });
  await page.goto(address(w, `/fr/a/${second.auditorium}`, 'debug=1'));
  await until(Date.parse(second.starts_at) + 4_000);
  expect(
    'plays in French',
    await reach(
      page,
      'fr',
      () =>
        window.__reprise.state().feed === 'fr' &&
        window.__reprise.store.pictured &&
        window.__reprise.store.talk !== null,
    ),
  );
  await page.locator('header input[value=en]').check({ force: true });
  const moved = await reach(
    page,
    'en',
    () =>
      window.__reprise.state().feed === 'en' &&
      window.__reprise.store.pictured &&
      window.__reprise.state().sound === 'en',
  );
  expect('changes to the English film', moved, await state(page));
  const there = await reach(page, 'same instant', () => Math.abs(window.__reprise.syncError()) < 0.5, 20_000);
  expect('at the same instant of air', there, await state(page));
  await shot(w, page, 'films-en');
  expect('no fatal error', (await faultsOf(page)).length === 0, await faultsOf(page));
  await page.context().close();
}
