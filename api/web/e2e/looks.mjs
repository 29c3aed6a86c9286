// What people see before and after: widths, languages and themes; axe; refusals; no sound; no network.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { launch, open } from './browser.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WIDTHS = [360, 768, 1440];

/** axe-core's violations on the page as it is, in short. */
export async function violations(page) {
  // Through the debugger, not as a <script>: the page's own security policy stays in force.
  await page.evaluate(axe);
  const result = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return result.violations.map((v) => `${v.id} (${v.nodes.length}): ${v.nodes[0].target.join(' ')}`);
}

/** One path in every width, language and theme. ready: a selector that says that the page is there. */
export async function everyLook(w, name, path, ready, expect) {
  for (const width of WIDTHS) {
    for (const language of ['fr', 'en']) {
      for (const theme of ['light', 'dark']) {
        const page = await open(w.browser, { width, language, theme });
        await page.goto(`${w.base}/${language}${path}#k=${w.key}`);
        await page.waitForSelector(ready);
        await page
          .waitForFunction(
            () =>
              document.querySelector('video')?.paused !== true ||
              document.querySelector('.veil button') !== null,
            undefined,
            { timeout: 8_000 },
          )
          .catch(() => {});
        await page.mouse.move(width / 2, 200);
        await page.waitForTimeout(450); // the controls fade in
        await page.mouse.move(width / 2 + 9, 205);
        const look = `${name}-${width}-${language}-${theme}`;
        await page.screenshot({ path: `${w.shots}/${look}.png`, fullPage: width < 1000 });
        const found = await violations(page);
        expect(`axe finds nothing on ${look}`, found.length === 0, found.length === 0 ? undefined : found);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (wide > 0) expect(`${look} is not wider than the screen`, false, wide);
        await page.context().close();
      }
    }
  }
}

/** No link, a cut link, an unknown talk: words, not codes. */
export async function refusals(w, expect) {
  const cases = [
    ['no key', '/fr/a/main', '', 'Il vous faut le lien'],
    ['a cut key', '/en/a/main', `#k=${w.key.slice(0, -6)}`, 'This link is not valid'],
    ['an unknown talk', '/fr/t/nobody', `#k=${w.key}`, 'n’existe pas'],
    ['no key at home', '/en', '', 'You need your link'],
  ];
  for (const [name, path, hash, words] of cases) {
    const page = await open(w.browser, { width: 768, language: path.slice(1, 3) });
    await page.goto(`${w.base}${path}${hash}`);
    const there = await page
      .getByText(words)
      .first()
      .waitFor({ timeout: 8_000 })
      .then(
        () => true,
        () => false,
      );
    expect(`${name} is answered in words`, there, (await page.locator('main').innerText()).slice(0, 200));
    const found = await violations(page);
    expect(`axe finds nothing on ${name}`, found.length === 0, found);
    await page.screenshot({ path: `${w.shots}/refusal-${name.replaceAll(' ', '-')}.png` });
    await page.context().close();
  }
}

/** A talk that lacks the viewer's language says so, before and while it plays. */
export async function missingSound(w, expect) {
  const only = w.ready.talks.at(-1);
  const page = await open(w.browser, { language: 'en' });
  await page.goto(`${w.base}/en/t/${only.id}#k=${w.key}`);
  const words = page.getByText('This talk exists in French only.').first();
  const said = await words.waitFor({ timeout: 20_000 }).then(
    () => true,
    () => false,
  );
  expect('a missing sound is said in words', said);
  await page.screenshot({ path: `${w.shots}/missing-sound.png` });
  await page.context().close();
}

/**
 * Refuses sound before a click. Chromium would do so by itself, but takes each
 * look of the test into the page for a gesture of the person before it.
 */
function refuseSound() {
  const play = HTMLMediaElement.prototype.play;
  let clicked = false;
  addEventListener('click', () => (clicked = true), { capture: true });
  HTMLMediaElement.prototype.play = function () {
    if (this.muted || clicked) return play.call(this);
    return Promise.reject(new DOMException('play() needs a click', 'NotAllowedError'));
  };
}

/** A browser that refuses sound before a click, and a network that goes and comes. */
export async function soundAndNetwork(w, expect) {
  const browser = await launch({ autoplay: false });
  try {
    const page = await open(browser, { language: 'fr' });
    await page.addInitScript(refuseSound);
    await page.goto(`${w.base}/fr/a/${w.talk.auditorium}?debug=1#k=${w.key}`);
    const button = page.locator('.pills button');
    const offered = await button.waitFor({ timeout: 15_000 }).then(
      () => true,
      () => false,
    );
    expect(
      'where sound is refused the picture plays mute',
      offered &&
        (await page
          .waitForFunction(
            () => !document.querySelector('video').paused && document.querySelector('video').muted,
            undefined,
            { timeout: 8_000 },
          )
          .then(
            () => true,
            () => false,
          )),
    );
    await page.screenshot({ path: `${w.shots}/sound-refused.png` });
    if (offered) await button.click();
    expect('and one click turns it on', await page.evaluate(() => !document.querySelector('video').muted));

    await page.context().setOffline(true);
    const lost = await page
      .locator('.pill')
      .waitFor({ timeout: 10_000 })
      .then(
        () => true,
        () => false,
      );
    expect('a lost network is said in words', lost);
    await page.screenshot({ path: `${w.shots}/offline.png` });
    await page.waitForTimeout(3_000);
    await page.context().setOffline(false);
    const back = await page
      .locator('.pill')
      .waitFor({ state: 'detached', timeout: 15_000 })
      .then(
        () => true,
        () => false,
      );
    expect('and its return too', back);
    const atAir = await page
      .waitForFunction(() => Math.abs(window.__reprise.syncError()) < 0.5, undefined, { timeout: 20_000 })
      .then(
        () => true,
        () => false,
      );
    const seen = await page.evaluate(() => ({
      ...window.__reprise.state(),
      last: window.__reprise.events.slice(-15),
    }));
    expect('the picture is at the air again', atAir, atAir ? undefined : seen);
  } finally {
    await browser.close();
  }
}
