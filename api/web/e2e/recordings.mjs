// Films come in: a speaker hands one in, an organizer looks after the others.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { open } from './browser.mjs';
import { Line } from './line.mjs';
import { violations } from './looks.mjs';

const run = promisify(execFile);
/** A film is checked and converted while other stories use the same two cores. */
const MADE_MS = 90_000;
const WIDTHS = [320, 768, 1440];

/** Small films: a is heavy enough to be interrupted on its way. */
export async function makeFilms() {
  const folder = await mkdtemp(join(tmpdir(), 'reprise-films-'));
  const film = async (name, picture, seconds, rate) => {
    const path = join(folder, name);
    const input = ['-f', 'lavfi', '-i', `${picture}=s=320x180:r=25:d=${seconds}`];
    const sound = ['-f', 'lavfi', '-i', `sine=f=300:d=${seconds}`];
    const codec = [
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-b:v',
      rate,
      '-minrate',
      rate,
      '-maxrate',
      rate,
    ];
    // No two runs send the same bytes: a film that is known already is not processed again.
    const rest = [
      '-bufsize',
      rate,
      '-x264-params',
      'nal-hrd=cbr',
      '-pix_fmt',
      'yuv420p',
      '-c:a',
      'aac',
      path,
    ];
    await run('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...input, ...sound, ...codec, ...rest]);
    return path;
  };
  const [a, b] = await Promise.all([
    film('intervention.mp4', 'testsrc2', 8, '2M'),
    film('corrected.mp4', 'testsrc', 6, '200k'),
  ]);
  const text = join(folder, 'notes.mp4');
  await writeFile(text, 'Ceci est un texte, et rien d’autre. '.repeat(400));
  const captions = join(folder, 'corrected.srt');
  // As editors on older systems write it: Windows-1252.
  const words =
    '1\r\n00:00:00,500 --> 00:00:02,000\r\nBonjour à tous\r\n\r\n2\r\n00:00:02,500 --> 00:00:04,000\r\nVoilà la suite\r\n';
  await writeFile(captions, Buffer.from(words, 'latin1'));
  return { a, b, text, captions, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Asks the server itself. */
async function ask(w, key, path) {
  const r = await fetch(`${w.base}/api/v1${path}`, {
    headers: { Authorization: `Bearer ${key}`, Accept: 'application/json' },
  });
  return r.json();
}

/** Waits until a question has an answer that is not null. */
async function answered(question, timeout = MADE_MS) {
  const end = Date.now() + timeout;
  for (;;) {
    const value = await question();
    if (value !== null && value !== undefined) return value;
    if (Date.now() > end) return null;
    await new Promise((done) => setTimeout(done, 300));
  }
}

/** The demonstration makes its own films first: those of a test wait behind them. */
export const idle = (w) =>
  answered(async () => {
    const { jobs } = await ask(w, w.desk, '/jobs');
    return jobs.every((j) => j.state === 'done') ? true : null;
  }, 180_000);

const says = (page, words, timeout = 10_000) =>
  page
    .getByText(words)
    .first()
    .waitFor({ timeout })
    .then(
      () => true,
      () => false,
    );

const shot = (w, page, name) => page.screenshot({ path: `${w.shots}/${name}.png`, fullPage: true });

/** The picture moves. */
const plays = async (page) => {
  await page.evaluate(() => {
    const v = document.querySelector('video');
    v.muted = true;
    // The better preview may take this one's place right now: the page goes on playing.
    v.play().catch(() => {});
  });
  return page
    .waitForFunction(() => document.querySelector('video').currentTime > 1, undefined, { timeout: 20_000 })
    .then(
      () => true,
      () => false,
    );
};

async function axe(page, name, expect) {
  const found = await violations(page);
  expect(`axe finds nothing on ${name}`, found.length === 0, found.length === 0 ? undefined : found);
}

const keyOf = (link) => new URL(link).hash.replace('#k=', '');

/** An invitation for the film that the last talk lacks. */
async function invite(w) {
  const body = {
    talk: w.ready.talks.at(-1).id,
    languages: ['en'],
    name: 'Lucien Faure',
    language: 'fr',
    deadline: new Date(Date.now() + 7 * 24 * 3600_000).toISOString(),
    message: 'Merci de parler lentement.\nNous avons hâte.',
    organizer: 'organisation@example.org',
  };
  const headers = { Authorization: `Bearer ${w.desk}`, 'Content-Type': 'application/json' };
  const r = await fetch(`${w.base}/api/v1/handins`, { method: 'POST', headers, body: JSON.stringify(body) });
  return r.json();
}

/** A speaker, in Quebec, on a slow line, with a browser that dies in the middle. */
export async function handIn(w, expect) {
  const first = await open(w.browser, { width: 420, language: 'en' });
  const context = first.context();
  const invitation = await invite(w);
  const key = keyOf(invitation.link);
  const line = await Line.open(w.base);
  w.handIn = invitation.link;
  await first.goto(invitation.link.replace(w.base, line.base));
  await first.getByRole('button', { name: 'J’accepte ces conditions' }).waitFor();
  expect('the key is not in the address', !first.url().includes('k='), first.url());
  expect('the deadline is said in the event’s zone', await says(first, 'heure d’Europe centrale'));
  expect('and in the speaker’s own', await says(first, /pour vous \(heure de l’Est/));
  await axe(first, 'the terms', expect);
  await shot(w, first, 'handin-terms');
  await first.getByRole('button', { name: 'J’accepte ces conditions' }).click();
  await first.getByRole('button', { name: 'Choisir la vidéo' }).waitFor();
  await first.reload();
  expect('what was accepted stays accepted', await says(first, 'Choisir la vidéo'));
  await axe(first, 'the choice', expect);

  const size = (await readFile(w.films.a)).length;
  line.rate = size / 10;
  await first.setInputFiles('input[type=file]', w.films.a);
  const stored = await answered(async () => {
    const { uploads } = await ask(w, key, '/uploads');
    const u = uploads.at(-1);
    return u?.state === 'open' && u.offset > size * 0.2 ? u : null;
  }, 30_000);
  expect('the server has a part of it', stored !== null && stored.offset < size, stored);
  await shot(w, first, 'handin-sending');
  let asked = '';
  first.on('dialog', (d) => {
    asked = d.type();
    d.dismiss();
  });
  await first.locator('h1').click(); // a page that nobody touched may not hold anybody back
  await first.close({ runBeforeUnload: true });
  await answered(async () => (asked === '' ? null : asked), 5_000);
  expect('who leaves in the middle is warned', asked === 'beforeunload', asked);
  line.cut();
  await first.close();
  const kept = (await ask(w, key, '/uploads')).uploads.at(-1);
  expect('the server keeps what it has', kept.state === 'open' && kept.offset < size, kept);

  const page = await context.newPage();
  line.rate = 0;
  page.faults = [];
  page.on('pageerror', (e) => page.faults.push(e.message));
  const patches = [];
  page.on('request', (r) => {
    if (r.method() === 'PATCH') patches.push(Number(r.headers()['upload-offset']));
  });
  await page.goto(`${line.base}/fr/hand-in`);
  expect('the page says that the upload stopped', await says(page, 'L’envoi n’est pas fini'));
  await axe(page, 'the stopped upload', expect);
  await shot(w, page, 'handin-stopped');
  await page.setInputFiles('input[type=file]', w.films.b);
  expect(
    'another file is not taken for it',
    await says(page, 'n’est pas le fichier dont l’envoi a commencé'),
  );
  await page.setInputFiles('input[type=file]', w.films.a);
  expect('all of it arrives', await says(page, 'Nous l’avons', 60_000));
  expect('from where it was', patches.length > 0 && patches[0] > 0 && patches[0] < size, { patches, size });
  await shot(w, page, 'handin-taken');

  await page.waitForSelector('video', { timeout: MADE_MS });
  expect('it can be watched', await plays(page));
  expect('the report is there, in French', await says(page, 'Vérification', MADE_MS));
  await page.getByText('Votre vidéo est prête').waitFor({ timeout: MADE_MS });
  await shot(w, page, 'handin-ready');
  await axe(page, 'the film that is ready', expect);
  await page.locator('label', { hasText: 'EN' }).click();
  expect('the report is there in English', await says(page, /The film can go on air|can go on air/));
  expect('and so is everything else', await says(page, 'Your film is ready'));
  const report = await ask(w, key, '/handin');
  expect('the server knows it as ready', report.asset?.state === 'ready', report.asset);

  await page.getByRole('button', { name: 'Replace the film' }).click();
  expect('replacing is warned of', await says(page, 'Replace your film?'));
  await page.getByRole('button', { name: 'Choose another film' }).click();
  await page.setInputFiles('input[type=file]', w.films.text);
  expect(
    'a text that calls itself a film is refused in words',
    await says(page, /file is text, not a video/, MADE_MS),
  );
  await shot(w, page, 'handin-refused');
  await axe(page, 'the refusal', expect);
  expect('no fault in the page', page.faults.length === 0, page.faults);
  await context.close();
  line.close();
}

/** Drops files on the first zone of a page. */
async function drop(page, files) {
  const data = await Promise.all(
    files.map(async ({ path, name }) => ({ name, base64: (await readFile(path)).toString('base64') })),
  );
  await page.evaluate((list) => {
    const transfer = new DataTransfer();
    for (const { name, base64 } of list) {
      const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
      transfer.items.add(new File([bytes], name, { type: 'video/mp4' }));
    }
    const zone = document.querySelector('.zone');
    for (const type of ['dragenter', 'dragover', 'drop']) {
      zone.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }));
    }
  }, data);
}

/** An organizer at the desk. */
export async function desk(w, expect) {
  const page = await open(w.browser, { width: 1200, language: 'fr' });
  const assetNamed = async (name) =>
    (await ask(w, w.desk, '/assets')).assets.find((a) => a.source.name === name) ?? null;
  await page.goto(w.ready.organizer_url);
  await page.getByRole('link', { name: 'Enregistrements' }).click();
  await page.waitForSelector('[data-asset]');
  expect(
    'focus goes to the room that was entered',
    await page.evaluate(() => document.activeElement?.tagName === 'H1'),
  );

  await drop(page, [{ path: w.films.a, name: 'opening-english.mp4' }]);
  const talk = page.locator('select').first();
  await talk.waitFor();
  expect(
    'the talk is guessed from the name',
    (await talk.inputValue()) === 'opening',
    await talk.inputValue(),
  );
  expect(
    'and so is the language',
    (await page.getByRole('checkbox', { name: 'anglais' }).isChecked()) &&
      !(await page.getByRole('checkbox', { name: 'français' }).isChecked()),
  );
  await shot(w, page, 'desk-draft');
  await axe(page, 'a file to send', expect);
  await page.getByRole('button', { name: /^Retirer/ }).click();

  await drop(page, [
    { path: w.films.b, name: 'atelier.mp4' },
    { path: w.films.text, name: 'notes.mp4' },
  ]);
  await page.getByRole('button', { name: 'Envoyer les 2 fichiers' }).click();
  expect('a text is refused in words', await says(page, 'Ce fichier est un texte, pas une vidéo', MADE_MS));
  const made = await answered(async () => {
    const a = await assetNamed('atelier.mp4');
    return a?.state === 'ready' ? a : null;
  });
  expect('a film that was dropped becomes ready', made !== null);
  await shot(w, page, 'desk-recordings');
  if (made === null) return;

  await page.locator(`[data-asset="${made.id}"] a`).click();
  await page.waitForSelector('video');
  expect('it can be watched', await plays(page));
  await page.evaluate(() => document.querySelector('video').pause());
  await place(w, page, made.id, expect);
  await captions(w, page, made.id, expect);
  await chaptersAndPoster(w, page, made.id, expect);
  await replaceAndBack(w, page, made.id, expect);
  expect('no fault in the page', page.faults.length === 0, page.faults);
  await page.context().close();
}

/** On the programme, and off it again. */
async function place(w, page, id, expect) {
  const part = page.locator('section[aria-labelledby=places]');
  const films = async () => (await ask(w, w.desk, '/talks/opening/film')).films;
  const before = await films();
  await page.getByText('Montrer cette vidéo à une conférence').click();
  await part.getByLabel('Conférence').selectOption('opening');
  await part.getByRole('checkbox', { name: 'français' }).uncheck();
  expect('what it takes the place of is said', await says(page, /a déjà une vidéo en anglais/));
  await part.getByRole('button', { name: 'Mettre au programme' }).click();
  const put = await answered(async () => ((await films()).en === id ? true : null), 15_000);
  expect('it is put on the programme', put === true && (await films()).fr === before.fr);
  expect('with what that does to it', await says(page, /Durée \d+.s, pour un créneau de/));
  await page.getByRole('button', { name: /^Retirer de/ }).click();
  const off = await answered(async () => ((await films()).en === id ? null : true), 15_000);
  expect('and taken off again', off === true);
}

async function captions(w, page, id, expect) {
  const part = page.locator('section[aria-labelledby=captions]');
  await part.locator('input[type=file]').setInputFiles(w.films.captions);
  await part.locator('[data-language=fr]').waitFor({ timeout: 20_000 });
  const cues = () => ask(w, w.desk, `/assets/${id}/captions/fr`);
  const before = await cues();
  expect(
    'captions in an old encoding are read',
    before.cues?.[0]?.text === 'Bonjour à tous',
    before.cues?.[0],
  );

  await part.getByLabel('Décalage, en secondes').fill('1,5');
  await part.getByRole('button', { name: /^Décaler/ }).click();
  const shifted = await answered(async () => {
    const c = await cues();
    return c.cues?.[0]?.start === 2 ? c : null;
  }, 15_000);
  expect('captions are shifted', shifted?.track.shift === 1.5, shifted?.track);

  await part.getByRole('button', { name: /^Modifier/ }).click();
  const words = page.getByLabel('Texte du sous-titre 1');
  await words.fill('Bonsoir à tous');
  await page.getByLabel('Fin du sous-titre 1').fill('1');
  await page.getByRole('button', { name: 'Enregistrer les sous-titres' }).click();
  expect(
    'a caption that ends before it starts is not saved',
    await says(page, 'La fin doit venir après le début.'),
  );
  await shot(w, page, 'desk-captions');
  await axe(page, 'the caption editor', expect);
  await page.getByLabel('Fin du sous-titre 1').fill('0:03.400');
  await page.getByRole('button', { name: 'Enregistrer les sous-titres' }).click();
  const edited = await answered(async () => {
    const c = await cues();
    return c.cues?.[0]?.text === 'Bonsoir à tous' ? c : null;
  }, 15_000);
  expect('captions are edited', edited?.cues[0].end === 3.4, edited?.cues?.[0]);
}

async function chaptersAndPoster(w, page, id, expect) {
  await page.evaluate(() => {
    document.querySelector('video').currentTime = 3;
  });
  const part = page.locator('section[aria-labelledby=chapters]');
  await part.getByRole('button', { name: 'Ajouter à 0:03' }).click();
  await page.getByLabel('Titre du chapitre 1').fill('La suite');
  await part.getByRole('button', { name: 'Enregistrer les chapitres' }).click();
  const chapters = await answered(async () => {
    const c = await ask(w, w.desk, `/assets/${id}/chapters`);
    return c.chapters.length === 1 ? c : null;
  }, 15_000);
  expect(
    'a chapter begins where the player is',
    Math.abs((chapters?.chapters[0].start ?? 0) - 3) < 0.1,
    chapters,
  );

  const before = await ask(w, w.desk, `/assets/${id}`);
  await page.getByRole('button', { name: /^Prendre l’image à/ }).click();
  const after = await answered(async () => {
    const a = await ask(w, w.desk, `/assets/${id}`);
    return a.revision > before.revision && a.job?.state === 'done' ? a : null;
  });
  expect('the changes make a new version', after !== null, {
    before: before.revision,
    after: after?.revision,
  });
  const media = await ask(w, w.desk, `/assets/${id}/media`);
  const poster = await fetch(w.base + media.poster);
  expect('with a poster', poster.status === 200 && media.chapters.length === 1, {
    status: poster.status,
    chapters: media.chapters,
  });
}

async function replaceAndBack(w, page, id, expect) {
  const part = page.locator('section[aria-labelledby=replace]');
  const before = await ask(w, w.desk, `/assets/${id}`);
  await part.locator('input[type=file]').setInputFiles(w.films.a);
  const replaced = await answered(async () => {
    const a = await ask(w, w.desk, `/assets/${id}`);
    return a.source.name === 'intervention.mp4' && a.state === 'ready' ? a : null;
  });
  expect('the film is replaced', replaced !== null && replaced.media !== before.media);
  const back = page.getByRole('button', { name: new RegExp(`^Remettre.*Version ${before.revision}$`) });
  await back.waitFor({ timeout: 15_000 });
  await shot(w, page, 'desk-recording');
  await axe(page, 'a recording', expect);
  await back.click();
  const restored = await answered(async () => {
    const a = await ask(w, w.desk, `/assets/${id}`);
    return a.source.name === 'atelier.mp4' ? a : null;
  }, 15_000);
  expect('and put back', restored !== null && restored.media === before.media, {
    before: before.media,
    after: restored?.media,
  });
  expect('the page says so', await says(page, /est de nouveau en place/));
}

/** An invitation is made, copied and withdrawn. */
export async function invitations(w, expect) {
  const page = await open(w.browser, { width: 900, language: 'en' });
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: w.base });
  await page.goto(`${w.base}/en/desk/hand-ins#k=${w.desk}`);
  await page.getByRole('button', { name: 'Make the invitation' }).click();
  expect('what is missing is said', await says(page, 'Choose the talk.'));
  await axe(page, 'the form with its faults', expect);
  await page.getByLabel('Talk').selectOption({ index: 1 });
  await page.getByLabel('Name of the speaker').fill('Ada Example');
  await page.getByLabel('Hand in by').fill('2099-01-01T10:00');
  await page.getByRole('button', { name: 'Make the invitation' }).click();
  expect('a date beyond reason is refused in words', await says(page, 'not within three years'));
  const day = new Date(Date.now() + 3 * 24 * 3600_000).toISOString().slice(0, 10);
  await page.getByLabel('Hand in by').fill(`${day}T10:00`);
  await page.getByRole('button', { name: 'Make the invitation' }).click();
  expect('an invitation is made', await says(page, 'Invitation made for Ada Example'));
  const row = page.locator('[data-handin]:not([data-state=revoked])', { hasText: 'Ada Example' });
  expect('its deadline is in the event’s zone', (await row.innerText()).includes('10:00'));
  await row.getByRole('button', { name: /^Copy the link/ }).click();
  expect('its link is copied', await says(page, 'Link copied.'));
  const link = await page.evaluate(() => navigator.clipboard.readText());
  await shot(w, page, 'desk-handins');

  await row.getByRole('button', { name: /^Withdraw the link/ }).click();
  await page.locator('dialog[open]').getByRole('button', { name: 'Withdraw the link' }).click();
  expect('it is withdrawn', await says(page, 'The link is withdrawn.'));
  const speaker = await open(w.browser, { width: 420, language: 'en' });
  await speaker.goto(link);
  expect('and the speaker’s page says so', await says(speaker, 'Ce lien a été retiré'), link.split('#')[0]);
  await axe(speaker, 'a link that was withdrawn', expect);
  await shot(w, speaker, 'handin-revoked');
  await speaker.goto(`${w.base}/en/desk/recordings#k=${w.key}`);
  expect(
    'an attendee’s link does not open the desk',
    await says(speaker, 'opens with the link of the organisers’ desk'),
  );
  await speaker.context().close();
  await page.context().close();
}

/** Each room in three widths, in both languages and themes. */
export async function intakeLooks(w, expect) {
  const film = (await ask(w, w.desk, '/assets')).assets.find(
    (a) => a.state === 'ready' && a.talks.length > 0,
  );
  const rooms = [
    ['recordings', '/desk/recordings', w.desk, '[data-asset]'],
    ['recording', `/desk/recordings/${film?.id}`, w.desk, '#captions'],
    ['handins', '/desk/hand-ins', w.desk, '[data-handin]'],
    ['handin', '/hand-in', keyOf(w.handIn), '#replace'],
  ];
  const looks = WIDTHS.flatMap((width) => [
    [width, 'fr', width === 768 ? 'dark' : 'light'],
    [width, 'en', width === 768 ? 'light' : 'dark'],
  ]);
  const look = async ([name, path, key, ready], [width, language, theme]) => {
    const page = await open(w.browser, { width, language, theme });
    await page.goto(`${w.base}/${language}${path}#k=${key}`);
    await page.waitForSelector(ready);
    const title = `${name}-${width}-${language}-${theme}`;
    await axe(page, title, expect);
    await shot(w, page, title);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 0) expect(`${title} is not wider than the screen`, false, wide);
    await page.context().close();
  };
  for (const l of looks) await Promise.all(rooms.map((room) => look(room, l)));
}
