// Debian's Chromium, and what is measured in every page.
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const EXECUTABLE = '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-default-apps',
  '--disable-sync',
  '--no-first-run',
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
];

/** @param {{ autoplay: boolean }} o */
export async function launch({ autoplay }) {
  if (!existsSync(EXECUTABLE)) throw new Error(`${EXECUTABLE} is missing: apt-get install chromium`);
  const policy = autoplay ? 'no-user-gesture-required' : 'document-user-activation-required';
  return chromium.launch({
    executablePath: EXECUTABLE,
    headless: true,
    args: [...FLAGS, `--autoplay-policy=${policy}`],
  });
}

/** Runs in the page, before its own scripts: the picture's position against the wall clock, twenty times a second. */
function probe() {
  const m = { samples: [], frames: [], watched: null };
  window.__m = m;
  const wall = () => performance.timeOrigin + performance.now();
  setInterval(() => {
    const v = document.querySelector('video');
    if (v === null) return;
    m.samples.push([wall(), v.currentTime, v.paused || v.ended || v.seeking ? 1 : 0, v.currentSrc]);
    if (m.watched === v) return;
    m.watched = v;
    const frame = () => {
      m.frames.push(wall());
      v.requestVideoFrameCallback(frame);
    };
    v.requestVideoFrameCallback(frame);
  }, 50);
}

/**
 * A page of its own context. What it logs as an error and what it throws is kept in page.faults.
 * @param {import('playwright-core').Browser} browser
 */
export async function open(
  browser,
  { width = 960, language = 'fr', theme = 'light', playlists = null } = {},
) {
  const height = width < 500 ? 780 : width < 1000 ? 900 : 900;
  const context = await browser.newContext({
    viewport: { width, height },
    locale: language === 'fr' ? 'fr-FR' : 'en-GB',
    timezoneId: language === 'fr' ? 'Europe/Paris' : 'America/New_York',
    colorScheme: theme,
    reducedMotion: 'reduce',
  });
  await context.addInitScript(probe);
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (e) => page.faults.push(`thrown: ${e.message}`));
  page.on('console', (m) => {
    const text = m.text();
    // A server that is down says so in the console by itself; the page's own words are what counts.
    if (m.type() === 'error' && !/Failed to load resource|ERR_|while loading/.test(text))
      page.faults.push(text);
  });
  if (playlists !== null) {
    page.on('response', async (r) => {
      if (r.status() !== 200 || !new URL(r.url()).pathname.endsWith('.m3u8')) return;
      const body = await r.text().catch(() => null);
      if (body !== null) playlists.set(body, r.url());
    });
  }
  return page;
}

/**
 * The longest time that the picture stood still in a span of wall time (epoch ms), s.
 * Pauses, seeks and changes of source do not count. A player that holds itself to
 * the schedule runs at 0.94 or faster: only what is slower is a stall.
 */
export function longestStall(samples, from, to) {
  let run = 0;
  let worst = 0;
  for (let i = 1; i < samples.length; i++) {
    const [t0, c0, idle0, src0] = samples[i - 1];
    const [t1, c1, idle1, src1] = samples[i];
    if (t1 < from || t0 > to) continue;
    if (idle0 || idle1 || src0 !== src1 || Math.abs(c1 - c0) > 2) {
      run = 0;
      continue;
    }
    run = Math.max(0, run + ((t1 - t0) / 1000) * 0.93 - (c1 - c0));
    worst = Math.max(worst, run);
  }
  return worst;
}

/** The longest time between two frames shown in a span of wall time, s; null when too few were shown. */
export function longestFrameGap(frames, from, to) {
  const inside = frames.filter((t) => t >= from && t <= to);
  if (inside.length < 10) return null;
  return Math.max(...inside.slice(1).map((t, i) => (t - inside[i]) / 1000));
}

export const measured = (page) => page.evaluate(() => window.__m);
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
export const until = (epochMs) => sleep(Math.max(0, epochMs - Date.now()));
