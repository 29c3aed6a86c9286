/** Server-sent events out of a stream of text (HTML Standard, 9.2.6). Pure but for what it holds of an unfinished event. */
export interface ServerEvent {
  event: string;
  data: string;
}

export class EventParser {
  /** The last id that was heard, for Last-Event-ID. */
  id = '';
  /** Milliseconds after which to come back, as the server says; null: it did not. */
  retry: number | null = null;
  #rest = '';
  #event = '';
  #data: string[] = [];

  /** Takes the next piece of text, and returns the events that it completes. */
  push(text: string): ServerEvent[] {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    const events: ServerEvent[] = [];
    for (const line of lines) {
      if (line === '') this.#finish(events);
      else this.#field(line);
    }
    return events;
  }

  #finish(events: ServerEvent[]): void {
    if (this.#data.length > 0) {
      events.push({ event: this.#event === '' ? 'message' : this.#event, data: this.#data.join('\n') });
    }
    this.#event = '';
    this.#data = [];
  }

  #field(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') this.#event = value;
    else if (name === 'data') this.#data.push(value);
    else if (name === 'id') this.id = value;
    else if (name === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
  }
}
