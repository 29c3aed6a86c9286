/**
 * The watch page's store: it carries out the machine's effects, turns results and
 * the <video>'s own events into the machine's events, and holds what the views show.
 * What the picture does is always read from the element, never assumed.
 */
import type { Api } from '../lib/api/client.js';
import type { ServerClock } from '../lib/clock.js';
import { airingOf, type Grant, type Talk, type Target } from '../lib/model.js';
import { loadPrefs, savePrefs } from '../lib/prefs.js';
import { NETWORK } from '../lib/problem.js';
import { delayOf } from '../lib/retry.js';
import type { Language } from '../lib/route.js';
import { type Effect, type Event, initial, type State, step, talkInPicture, targetTalk } from './machine.js';
import { aheadOf, type Player, type PlayerEvent, type Rung, seekableOf } from './player/player.js';
import { afterSeek, clamp, type Following, SyncController } from './sync.js';

export interface WatchDeps {
  api: Api;
  clock: ServerClock;
  /** Did the person come with a key? */
  hasKey: boolean;
  /** ?native=1 */
  native: boolean;
  /** ?debug=1 */
  debug: boolean;
}

export interface Logged {
  at: number;
  is: string;
  detail: string;
}

const BEAT_MS = 200;
const LOG_MOST = 2_000;

/** A server that was updated has no longer the files that this page names: the page itself has to come anew. */
function reloadOnce(): void {
  const name = 'reprise.reloaded';
  try {
    if (sessionStorage.getItem(name) !== null) return;
    sessionStorage.setItem(name, '1');
    location.reload();
  } catch {
    // Without storage a reload could go on for ever.
  }
}

export class WatchStore {
  state = $state.raw<State>() as State;
  /** Server's epoch ms at the last beat; NaN before it is known. */
  now = $state(Number.NaN);
  /** Epoch ms of the frame in the picture at the last beat. */
  shown = $state<number | null>(null);
  position = $state(0);
  duration = $state(Number.NaN);
  span = $state.raw<{ start: number; end: number } | null>(null);
  following = $state<Following>('live');
  paused = $state(true);
  /** The first frame of the loaded source has been shown. */
  pictured = $state(false);
  /** The browser refused sound before a click. */
  soundRefused = $state(false);
  rungs = $state.raw<readonly Rung[]>([]);
  rung = $state(0);
  prefs = $state.raw(loadPrefs());
  online = $state(true);
  unsupported = $state(false);
  error = $state(0);
  readonly events: Logged[] = [];
  readonly debug: boolean;
  readonly hasKey: boolean;

  readonly #deps: WatchDeps;
  readonly #sync = new SyncController();
  #video: HTMLVideoElement | null = null;
  #freeze: ((video: HTMLVideoElement) => void) | null = null;
  #player: Player | null = null;
  #opened: string | null = null;
  #switching = false;
  #starved = false;
  #wantsPlay = false;
  #timers = new Map<string, ReturnType<typeof setTimeout>>();
  #beat: ReturnType<typeof setInterval> | null = null;
  #listening = new AbortController();

  constructor(target: Target, language: Language, deps: WatchDeps) {
    this.#deps = deps;
    this.debug = deps.debug;
    this.hasKey = deps.hasKey;
    this.state = initial(target, language);
  }

  /** Starts everything; freeze draws the last frame over the video while sources change. */
  open(video: HTMLVideoElement, freeze: (video: HTMLVideoElement) => void): void {
    this.#video = video;
    this.#freeze = freeze;
    video.volume = this.prefs.volume;
    video.muted = this.prefs.muted;
    this.#listen(video);
    this.#beat = setInterval(() => this.beat(), BEAT_MS);
    this.send({ is: 'opened' });
  }

  close(): void {
    this.#listening.abort();
    if (this.#beat !== null) clearInterval(this.#beat);
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#player?.close();
    this.#player = null;
    this.#video = null;
  }

  send(e: Event): void {
    const before = this.state;
    const [next, effects] = step(before, e, { now: this.#deps.clock.now(), random: Math.random });
    this.state = next;
    if (e.is !== 'tick' && e.is !== 'flowing') this.#log(e.is, before.phase === next.phase ? '' : next.phase);
    for (const effect of effects) this.#perform(effect);
  }

  // ---- effects

  #perform(e: Effect): void {
    switch (e.do) {
      case 'fetch':
        this.#later('fetch', e.after, () => void this.#fetch());
        break;
      case 'ask':
        this.#later('ask', e.after, () => void this.#ask(e.asked, e.language));
        break;
      case 'play':
        this.#later('reload', 0, () => {});
        void this.#play(e.grant, e.keep, e.play);
        break;
      case 'sound':
        this.#player?.sound(e.language);
        this.#player?.captions(this.prefs.captions, e.language);
        break;
      case 'reload':
        this.#later('reload', e.after, () => this.#player?.reload());
        break;
    }
  }

  /** One timer a name: a later wish replaces the earlier. */
  #later(name: string, after: number, f: () => void): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(f, after));
  }

  async #fetch(): Promise<void> {
    const answer = await this.#deps.api.programme();
    if (this.#video === null) return;
    if (answer.ok) this.send({ is: 'programme', programme: answer.value });
    else this.send({ is: 'programme-failed', problem: answer.problem });
  }

  async #ask(asked: number, language: Language): Promise<void> {
    const answer = await this.#deps.api.playback(this.state.target, language);
    if (this.#video === null) return;
    if (answer.ok) this.send({ is: 'granted', asked, grant: answer.value });
    else this.send({ is: 'refused', asked, problem: answer.problem });
  }

  async #play(grant: Grant, keep: boolean, play: boolean): Promise<void> {
    const player = await this.#ready();
    const video = this.#video;
    if (player === null || video === null || this.state.grant !== grant) return;
    const at = this.#shownNow();
    const position = video.currentTime;
    if (this.#opened !== null) this.#freeze?.(video);
    this.#switching = true;
    this.pictured = false;
    const paused = keep && this.following === 'paused';
    if (!keep) this.following = play ? 'live' : 'paused';
    this.#wantsPlay = play && !paused && !(keep && video.paused && grant.view === 'replay');
    this.#sync.reset();
    video.playbackRate = 1;
    this.#opened = grant.url;
    const live = grant.view !== 'replay';
    const behind = live && keep && this.following !== 'live' ? at : null;
    player.open(grant.url, {
      position: live ? this.#startOver(grant, behind) : keep ? position : 0,
      date: grant.view === 'startover' ? null : behind,
      language: this.state.language,
      captions: this.prefs.captions,
      quality: this.prefs.quality,
    });
    this.#log('open', `${grant.view} ${grant.language}`);
    if (this.#wantsPlay) await this.#start();
  }

  /** A talk's own playlist begins with the talk: its position is the time since the start. */
  #startOver(grant: Grant, date: number | null): number | null {
    if (grant.view !== 'startover') return null;
    const talk = targetTalk(this.state);
    const starts = grant.starts ?? (talk === null ? null : (airingOf(talk, grant.language)?.starts ?? null));
    const at = date ?? this.#deps.clock.now();
    return starts === null || Number.isNaN(at) ? null : Math.max(0, (at - starts) / 1000);
  }

  async #ready(): Promise<Player | null> {
    if (this.#player !== null) return this.#player;
    const loaded = await this.#loadPlayer();
    if (loaded === null || this.#video === null) return null;
    const { createPlayer } = loaded;
    this.#player ??= createPlayer(this.#video, (e) => this.#heard(e), {
      native: this.#deps.native,
      now: () => this.#deps.clock.now(),
    });
    this.unsupported = this.#player === null;
    return this.#player;
  }

  /** The player's code comes over the same network as everything: it is asked for until it comes. */
  async #loadPlayer(): Promise<typeof import('./player/index.js') | null> {
    for (let tries = 0; this.#video !== null; tries++) {
      try {
        const loaded = await import('./player/index.js');
        if (tries > 0) this.send({ is: 'flowing' });
        return loaded;
      } catch {
        this.send({ is: 'trouble', problem: NETWORK, fatal: false });
        if (tries === 4) reloadOnce();
        await new Promise((done) => setTimeout(done, delayOf(tries)));
      }
    }
    return null;
  }

  /** Plays with sound if the browser lets us, else without and says so. */
  async #start(): Promise<void> {
    const video = this.#video;
    if (video === null) return;
    try {
      await video.play();
    } catch (e) {
      if (!(e instanceof DOMException) || e.name !== 'NotAllowedError') return;
      video.muted = true;
      this.soundRefused = true;
      await video.play().catch(() => {});
    }
  }

  // ---- what the player and the element say

  #heard(e: PlayerEvent): void {
    switch (e.is) {
      case 'opened':
        this.rungs = e.rungs;
        break;
      case 'rung':
        this.rung = e.height;
        break;
      case 'flowing':
        this.send({ is: 'flowing' });
        break;
      case 'trouble':
        this.#log(e.fatal ? 'fatal' : 'trouble-detail', e.detail);
        this.send({ is: 'trouble', problem: e.problem, fatal: e.fatal });
        break;
    }
  }

  #listen(video: HTMLVideoElement): void {
    const signal = this.#listening.signal;
    const on = (name: string, f: () => void) => video.addEventListener(name, f, { signal });
    on('playing', () => {
      this.#switching = false;
      this.pictured = true;
      // The picture stood still anyway: a jump to the air now costs less than half a minute of hurry.
      if (this.#starved) this.#sync.reset();
      this.#starved = false;
    });
    on('loadeddata', () => {
      if (this.#wantsPlay && video.paused) void this.#start();
      if (!this.#wantsPlay) {
        this.#switching = false;
        this.pictured = true;
      }
    });
    on('play', () => this.#played());
    on('pause', () => {
      this.paused = true;
      // Only a person's pause is one: players pause at an error, too.
      if (this.#switching || video.ended || video.seeking || video.error !== null) return;
      this.following = 'paused';
      this.#wantsPlay = false;
    });
    on('ended', () => {
      this.#log('ended', '');
      this.send({ is: 'picture-ended' });
    });
    on('waiting', () => {
      this.#starved = !video.seeking;
      this.#log('waiting', video.currentTime.toFixed(2));
    });
    on('volumechange', () => {
      if (!video.muted) this.soundRefused = false;
      if (!this.soundRefused) this.prefs = savePrefs({ volume: video.volume, muted: video.muted });
    });
    this.online = navigator.onLine;
    addEventListener('online', () => this.#networkBack(), { signal });
    addEventListener('offline', () => (this.online = false), { signal });
  }

  #played(): void {
    const video = this.#video;
    if (video === null) return;
    this.paused = false;
    this.#wantsPlay = true;
    if (this.following !== 'paused' || this.#switching) return;
    const span = seekableOf(video);
    // Paused for longer than the window is deep: that frame is gone.
    if (this.isLive && span !== null && video.currentTime < span.start) this.backToLive();
    else this.following = afterSeek(this.behind, false);
  }

  #networkBack(): void {
    this.online = true;
    void this.#deps.clock.measure();
    if (this.state.link === 'lost') this.#player?.reload();
  }

  // ---- the beat

  beat(): void {
    const video = this.#video;
    if (video === null) return;
    const clock = this.#deps.clock;
    this.now = clock.known ? clock.now() : (this.state.programme?.asOf ?? Number.NaN);
    this.shown = this.isLive && this.#opened !== null && !this.#switching ? this.#shownNow() : null;
    this.position = video.currentTime;
    this.duration = video.duration;
    this.span = seekableOf(video);
    this.paused = video.paused;
    this.#hold(video);
    this.send({ is: 'tick', shown: this.shown });
  }

  #hold(video: HTMLVideoElement): void {
    const player = this.#player;
    if (!this.isLive || this.shown === null || Number.isNaN(this.now) || player === null) return;
    const now = this.#deps.clock.now();
    const shown = player.shown() ?? this.shown;
    this.error = (shown - now) / 1000;
    // Never ahead of the air, whatever moved the picture there (a remote control, a media key).
    if (this.following === 'behind' && this.error > 1) this.following = 'live';
    // An estimate is no ground to move the picture; and Chromium's own live HLS (seen in 156) ends with a parse
    // error at any speed but 1, and after a pause jumps to its own idea of live.
    if (
      !player.exact ||
      this.following !== 'live' ||
      video.paused ||
      video.seeking ||
      video.ended ||
      this.#starved
    ) {
      if (video.playbackRate !== 1) video.playbackRate = 1;
      return;
    }
    const c = this.#sync.decide({
      error: this.error,
      position: video.currentTime,
      seekable: seekableOf(video),
      ahead: aheadOf(video),
      at: performance.now(),
    });
    if (video.playbackRate !== c.rate) video.playbackRate = c.rate;
    if (c.seek !== null) {
      this.#log('sync-seek', `${this.error.toFixed(2)}`);
      video.currentTime = c.seek;
    }
  }

  #shownNow(): number | null {
    return this.#player?.shown() ?? null;
  }

  // ---- what the person wants

  toggle(): void {
    const video = this.#video;
    if (video === null || this.#opened === null) return;
    if (video.paused) void this.#start();
    else video.pause();
  }

  /** Moves by seconds; in live never beyond the air. */
  skip(seconds: number): void {
    if (this.#video !== null) this.seek(this.#video.currentTime + seconds);
  }

  seek(position: number): void {
    const video = this.#video;
    const span = this.span;
    if (video === null || span === null) return;
    if (!this.isLive) {
      video.currentTime = clamp(position, span.start, span.end);
      return;
    }
    const air = this.airPosition ?? span.end;
    const at = clamp(position, span.start, air);
    this.following = afterSeek(air - at, video.paused);
    this.#sync.reset();
    video.currentTime = at;
  }

  backToLive(): void {
    const video = this.#video;
    const air = this.airPosition;
    if (video === null || air === null) return;
    this.following = 'live';
    this.#sync.reset();
    video.currentTime = air;
    if (video.paused) void this.#start();
  }

  fromBeginning(): void {
    const video = this.#video;
    if (video === null) return;
    video.currentTime = 0;
    void this.#start();
  }

  soundOn(): void {
    const video = this.#video;
    if (video === null) return;
    video.muted = false;
    if (video.volume < 0.05) video.volume = 0.5;
    this.soundRefused = false;
    if (video.paused) void this.#start();
  }

  mute(): void {
    const video = this.#video;
    if (video === null) return;
    if (video.muted) this.soundOn();
    else video.muted = true;
  }

  louder(by: number): void {
    const video = this.#video;
    if (video === null) return;
    video.volume = clamp(video.volume + by, 0, 1);
    if (by > 0) video.muted = false;
  }

  setLanguage(language: Language): void {
    this.send({ is: 'language', language, inPlace: this.#player?.changesSound ?? false });
  }

  setCaptions(on: boolean): void {
    this.prefs = savePrefs({ captions: on });
    this.#player?.captions(on, this.state.language);
  }

  setQuality(height: number | null): void {
    this.prefs = savePrefs({ quality: height });
    this.#player?.quality(height);
  }

  // ---- derived

  get isLive(): boolean {
    const view = this.state.grant?.view;
    return this.state.phase === 'playing' && (view === 'live' || view === 'startover');
  }

  get isReplay(): boolean {
    return this.state.phase === 'playing' && this.state.grant?.view === 'replay';
  }

  /** Seconds that the picture is behind the air; 0 when unknown. */
  get behind(): number {
    return this.shown === null || Number.isNaN(this.now) ? 0 : Math.max(0, (this.now - this.shown) / 1000);
  }

  /** Media position of the frame whose hour has come. */
  get airPosition(): number | null {
    const shown = this.#shownNow();
    const now = this.#deps.clock.now();
    if (this.#video === null || shown === null || Number.isNaN(now)) return null;
    const at = this.#video.currentTime + (now - shown) / 1000;
    const span = seekableOf(this.#video);
    return span === null ? at : clamp(at, span.start, span.end);
  }

  get talk(): Talk | null {
    return talkInPicture(this.state);
  }

  get playerKind(): string {
    return this.#player?.kind ?? '';
  }

  /** What tests and the debug panel read. */
  measurements(): Record<string, string | number | boolean | null> {
    const doubt = this.#deps.clock.doubt;
    return {
      player: this.playerKind,
      exact: this.#player?.exact ?? null,
      phase: this.state.phase,
      view: this.state.grant?.view ?? null,
      feed: this.state.grant?.language ?? null,
      following: this.following,
      error: Number(this.error.toFixed(3)),
      rate: this.#video?.playbackRate ?? null,
      ahead: this.#video === null ? null : Number(aheadOf(this.#video).toFixed(1)),
      clockDoubt: doubt === null ? null : Math.round(doubt),
      ...this.#player?.stats(),
    };
  }

  #log(is: string, detail: string): void {
    this.events.push({ at: this.#deps.clock.now(), is, detail });
    if (this.events.length > LOG_MOST) this.events.splice(0, LOG_MOST / 2);
  }
}
