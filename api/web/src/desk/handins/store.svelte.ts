/** The invitations to hand in, read again when something comes in, and every half minute: terms are accepted in silence. */
import type { HandIn, IntakeApi } from '../../intake/api.js';
import type { Trouble } from '../../intake/trouble.js';

const SOON_MS = 400;
const EVERY_MS = 30_000;

export class HandInsStore {
  /** Newest first; null: not known yet. */
  list = $state.raw<readonly HandIn[] | null>(null);
  /** Letters can be sent from here. */
  mail = $state(false);
  trouble = $state.raw<Trouble | null>(null);
  readonly #api: IntakeApi;
  #timer: ReturnType<typeof setTimeout> | null = null;
  readonly #beat: ReturnType<typeof setInterval>;
  #closed = false;

  constructor(api: IntakeApi) {
    this.#api = api;
    this.#beat = setInterval(() => this.refresh(), EVERY_MS);
    void this.#read();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#beat);
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  refresh(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      void this.#read();
    }, SOON_MS);
  }

  async #read(): Promise<void> {
    const told = await this.#api.handIns();
    if (this.#closed) return;
    if (told.ok) {
      this.list = told.value.hand_ins.toReversed();
      this.mail = told.value.mail;
      this.trouble = null;
    } else if (this.list === null) {
      this.trouble = told.trouble;
    }
  }
}
