// A demo conference on its own data folder: started, killed, started again.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const READY_MS = 180_000;

export class Demo {
  /** @type {import('node:child_process').ChildProcess | null} */
  #process = null;
  #log = '';

  /** @param {string} binary */
  static async make(binary) {
    const path = resolve(binary);
    if (!existsSync(path)) throw new Error(`${path} is missing: build the program first`);
    const demo = new Demo();
    demo.binary = path;
    demo.data = await mkdtemp(join(tmpdir(), 'reprise-e2e-'));
    return demo;
  }

  /** Starts the server; resolves with what it prints when it is ready. */
  async start() {
    const listen = this.ready === undefined ? '127.0.0.1:0' : new URL(this.ready.base_url).host;
    const args = ['demo', '--json', '--data', this.data, '--listen', listen];
    // A process group of its own: what it started (ffmpeg) goes with it.
    // REPRISE_BIN is ours: the program takes every REPRISE_ variable for its own.
    const { REPRISE_BIN: _, ...env } = process.env;
    const child = spawn(this.binary, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env });
    this.#process = child;
    child.stderr.on('data', (d) => {
      this.#log = (this.#log + d).slice(-8_000);
    });
    this.ready = await new Promise((done, failed) => {
      let out = '';
      const late = setTimeout(() => failed(new Error(`demo not ready in time\n${this.#log}`)), READY_MS);
      child.stdout.on('data', (d) => {
        out += d;
        const end = out.indexOf('\n');
        if (end < 0) return;
        clearTimeout(late);
        done(JSON.parse(out.slice(0, end)));
      });
      child.on('error', failed);
      child.on('exit', (code, signal) => failed(new Error(`demo ended (${code ?? signal})\n${this.#log}`)));
    });
    return this.ready;
  }

  /** The power goes: no chance to tidy up. */
  async kill() {
    const child = this.#process;
    if (child === null || child.exitCode !== null || child.pid === undefined) return;
    const gone = new Promise((done) => child.once('exit', done));
    process.kill(-child.pid, 'SIGKILL');
    await gone;
    this.#process = null;
  }

  async remove() {
    await this.kill();
    await rm(this.data, { recursive: true, force: true });
  }
}
