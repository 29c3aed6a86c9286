/**
 * The key of a link (`#k=…`): what the person was sent. It is taken out of the
 * address bar at once, so that it is not in screenshots, copied addresses and
 * bookmarks, and kept in the browser so that a reload still works.
 */

export interface Shelf {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

const LAST = 'reprise.key';

/** The key in a location's hash, or null. */
export function keyInHash(hash: string): string | null {
  const key = new URLSearchParams(hash.replace(/^#/, '')).get('k');
  return key === null || key === '' ? null : key;
}

/**
 * Keys by place. A person may hold several (one auditorium, one talk, the desk):
 * each place remembers the key it was opened with, and a place without one uses
 * the last key of this tab, then of this browser.
 */
export class KeyRing {
  readonly #tab: Shelf | null;
  readonly #browser: Shelf | null;

  constructor(tab: Shelf | null, browser: Shelf | null) {
    this.#tab = tab;
    this.#browser = browser;
  }

  keep(path: string, key: string): void {
    for (const shelf of [this.#tab, this.#browser]) {
      if (!isAlone(path)) put(shelf, LAST, key);
      put(shelf, nameOf(path), key);
    }
  }

  find(path: string): string | null {
    const own = nameOf(path);
    if (isAlone(path)) return get(this.#tab, own) ?? get(this.#browser, own);
    return get(this.#tab, own) ?? get(this.#tab, LAST) ?? get(this.#browser, own) ?? get(this.#browser, LAST);
  }
}

/** The place without its language: /fr/a/main and /en/a/main are one. The rooms of the desk are one place. */
function nameOf(path: string): string {
  const place = path.split('/').slice(2);
  return `${LAST}:${place[0] === 'desk' ? 'desk' : place.join('/')}`;
}

/** A speaker's key opens their page and nothing else, and no other key opens it. */
function isAlone(path: string): boolean {
  return path.split('/')[2] === 'hand-in';
}

// A browser that forbids storage (private mode, policy) throws; the page then works until it is reloaded.
function get(shelf: Shelf | null, name: string): string | null {
  try {
    return shelf?.getItem(name) ?? null;
  } catch {
    return null;
  }
}

function put(shelf: Shelf | null, name: string, value: string): void {
  try {
    shelf?.setItem(name, value);
  } catch {
    // Full or forbidden: nothing to do.
  }
}
