/** Who is here and where: the key, the address, the server's clock. */
import { Api } from './api/client.js';
import { ServerClock } from './clock.js';
import { i18n } from './i18n/index.svelte.js';
import { KeyRing, keyInHash, type Shelf } from './key.js';
import { loadPrefs, savePrefs } from './prefs.js';
import { type Language, parseRoute, pathOf, preferredLanguage, type Room } from './route.js';

const REMEASURE_MS = 60_000;
const IN_DOUBT_MS = 25;

function shelf(name: 'localStorage' | 'sessionStorage'): Shelf | null {
  try {
    return window[name];
  } catch {
    return null;
  }
}

export class Session {
  room = $state.raw<Room>({ name: 'programme' });
  key = $state<string | null>(null);
  api = $state.raw<Api>() as Api;
  readonly clock: ServerClock;
  readonly native: boolean;
  readonly debug: boolean;
  /** Asked before another room is entered; false: stay. A room with something under way sets it. */
  mayLeave: ((to: Room) => boolean) | null = null;
  readonly #keys = new KeyRing(shelf('sessionStorage'), shelf('localStorage'));

  constructor() {
    const query = new URLSearchParams(location.search);
    this.native = query.get('native') === '1';
    this.debug = query.get('debug') === '1';
    this.api = new Api(null);
    this.clock = new ServerClock({
      ask: (signal) => this.api.time(signal),
      monotonic: () => performance.now(),
    });
    this.#read();
    addEventListener('popstate', () => this.#read());
    addEventListener('hashchange', () => this.#read());
    void this.#keepTime();
  }

  /** Reads the address: room, language, and a key that has just come in. */
  #read(): void {
    const route = parseRoute(location.pathname);
    const arrived = keyInHash(location.hash);
    const prefs = loadPrefs();
    // A link from a mail carries the language it was written in; a choice the person made here is newer.
    const language =
      (arrived !== null || route.language === null ? prefs.language : null) ??
      route.language ??
      preferredLanguage(navigator.languages);
    const path = route.room.name === 'nowhere' ? location.pathname : pathOf(language, route.room);
    if (arrived !== null) this.#keys.keep(path, arrived);
    const key = arrived ?? this.#keys.find(path);
    if (key !== this.key) {
      this.key = key;
      this.api = new Api(key);
    }
    history.replaceState(null, '', path + location.search);
    i18n.language = language;
    if (JSON.stringify(route.room) !== JSON.stringify(this.room)) this.room = route.room;
  }

  go(path: string): void {
    if (this.mayLeave?.(parseRoute(path.split('#')[0] ?? '').room) === false) return;
    history.pushState(null, '', path + location.search);
    this.#read();
    scrollTo(0, 0);
  }

  /** The person's choice; the address follows it. */
  choose(language: Language): void {
    savePrefs({ language });
    i18n.language = language;
    if (this.room.name !== 'nowhere') {
      history.replaceState(null, '', pathOf(language, this.room) + location.search);
    }
  }

  /** Measures the clock until one measurement came back, then every minute and whenever the page is seen again. */
  async #keepTime(): Promise<void> {
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') void this.clock.measure();
    });
    let wait = 500;
    while (!(await this.clock.measure())) {
      await new Promise((done) => setTimeout(done, wait * (0.5 + Math.random() / 2)));
      wait = Math.min(wait * 2, 10_000);
    }
    // The first measurement is taken while the page loads, often over a busy line: look again while it is in doubt.
    for (let i = 0; i < 5 && (this.clock.doubt ?? 0) > IN_DOUBT_MS; i++) {
      await new Promise((done) => setTimeout(done, 2_000 + 2_000 * Math.random()));
      await this.clock.measure();
    }
    setInterval(() => void this.clock.measure(), REMEASURE_MS);
  }
}
