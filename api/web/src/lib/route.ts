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
  | { name: 'recordings' }
  | { name: 'recording'; id: string }
  | { name: 'hand-ins' }
  | { name: 'hand-in' }
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
  if (kind === 'desk') return parseDesk(parts.slice(1));
  if (kind === 'hand-in' && parts.length === 1) return { name: 'hand-in' };
  if (id === undefined || parts.length !== 2 || !ID.test(id)) return { name: 'nowhere' };
  if (kind === 'a') return { name: 'auditorium', id };
  if (kind === 't') return { name: 'talk', id };
  return { name: 'nowhere' };
}

function parseDesk([place, id, ...rest]: string[]): Room {
  if (place === undefined) return { name: 'desk' };
  if (place === 'hand-ins' && id === undefined) return { name: 'hand-ins' };
  if (place !== 'recordings' || rest.length > 0) return { name: 'nowhere' };
  if (id === undefined) return { name: 'recordings' };
  return ID.test(id) ? { name: 'recording', id } : { name: 'nowhere' };
}

/** The rooms of the organizers: they share their stores, and their key. */
export type DeskRoom = Extract<Room, { name: 'desk' | 'recordings' | 'recording' | 'hand-ins' }>;

export function isDesk(room: Room): room is DeskRoom {
  return ['desk', 'recordings', 'recording', 'hand-ins'].includes(room.name);
}

export function pathOf(language: Language, room: Room): string {
  switch (room.name) {
    case 'auditorium':
      return `/${language}/a/${room.id}`;
    case 'talk':
      return `/${language}/t/${room.id}`;
    case 'desk':
      return `/${language}/desk`;
    case 'recordings':
      return `/${language}/desk/recordings`;
    case 'recording':
      return `/${language}/desk/recordings/${room.id}`;
    case 'hand-ins':
      return `/${language}/desk/hand-ins`;
    case 'hand-in':
      return `/${language}/hand-in`;
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
