/** The keyboard of the watch page, as one table. */
export type Command =
  | { do: 'toggle' | 'fullscreen' | 'mute' | 'captions' | 'help' | 'live' }
  | { do: 'skip'; seconds: number }
  | { do: 'louder'; by: number }
  | { do: 'percent'; percent: number };

export interface Press {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  /** What had the focus. */
  focus: 'page' | 'button' | 'field';
}

const TABLE = new Map<string, Command>(
  Object.entries({
    k: { do: 'toggle' },
    ' ': { do: 'toggle' },
    f: { do: 'fullscreen' },
    m: { do: 'mute' },
    c: { do: 'captions' },
    b: { do: 'live' },
    '?': { do: 'help' },
    j: { do: 'skip', seconds: -10 },
    l: { do: 'skip', seconds: 10 },
    ArrowLeft: { do: 'skip', seconds: -5 },
    ArrowRight: { do: 'skip', seconds: 5 },
    ArrowUp: { do: 'louder', by: 0.1 },
    ArrowDown: { do: 'louder', by: -0.1 },
  } satisfies Record<string, Command>),
);

/**
 * The command of a key, or null. Keys that the focused thing needs itself stay
 * its own: space on a button, arrows and letters in a field.
 */
export function commandOf(p: Press): Command | null {
  if (p.ctrlKey || p.metaKey || p.altKey || p.focus === 'field') return null;
  if (p.focus === 'button' && p.key === ' ') return null;
  if (/^[0-9]$/.test(p.key)) return { do: 'percent', percent: Number(p.key) * 10 };
  return TABLE.get(p.key.length === 1 ? p.key.toLowerCase() : p.key) ?? null;
}

/** What kind of thing has the focus. */
export function focusOf(target: EventTarget | null): Press['focus'] {
  if (!(target instanceof HTMLElement)) return 'page';
  if (target.matches('input, select, textarea, [contenteditable], media-volume-range')) return 'field';
  if (target.matches('button, a, summary, [role="button"], media-play-button, media-mute-button'))
    return 'button';
  return 'page';
}
