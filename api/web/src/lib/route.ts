/** The rooms of the application, as they stand in the address bar. */

export const LANGUAGES = ['fr', 'en'] as const;
export type Language = (typeof LANGUAGES)[number];

export function isLanguage(s: unknown): s is Language {
  return typeof s === 'string' && (LANGUAGES as readonly string[]).includes(s);
}

export type Room =
  | { name: 'programme' }
  | { name: 'auditorium'; id: string }
  | { name: 'talk'; id: string }
  | { name: 'desk' }
  | { name: 'nowhere' };

export interface Route {
  /** null: the address does not say (the root). */
  language: Language | null;
  room: Room;
}

const ID = /^[a-z0-9-]{1,64}$/;

export function parseRoute(pathname: string): Route {
  const parts = pathname.split('/').filter((p) => p !== '');
  const first = parts[0];
  if (first === undefined) return { language: null, room: { name: 'programme' } };
  if (!isLanguage(first)) return { language: null, room: { name: 'nowhere' } };
  return { language: first, room: parseRoom(parts.slice(1)) };
}

function parseRoom(parts: string[]): Room {
  const [kind, id] = parts;
  if (kind === undefined) return { name: 'programme' };
  if (kind === 'desk' && parts.length === 1) return { name: 'desk' };
  if (id === undefined || parts.length !== 2 || !ID.test(id)) return { name: 'nowhere' };
  if (kind === 'a') return { name: 'auditorium', id };
  if (kind === 't') return { name: 'talk', id };
  return { name: 'nowhere' };
}

export function pathOf(language: Language, room: Room): string {
  switch (room.name) {
    case 'auditorium':
      return `/${language}/a/${room.id}`;
    case 'talk':
      return `/${language}/t/${room.id}`;
    case 'desk':
      return `/${language}/desk`;
    default:
      return `/${language}`;
  }
}

/** The first of the browser's languages that we speak; English when there is none. */
export function preferredLanguage(wanted: readonly string[]): Language {
  for (const w of wanted) {
    const base = w.toLowerCase().split('-')[0];
    if (isLanguage(base)) return base;
  }
  return 'en';
}
