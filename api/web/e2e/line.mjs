// A line to the server that can be slow, and can be cut. What the browser itself
// throttles it lets go all at once when its tab is closed.
import net from 'node:net';

export class Line {
  /** Bytes a second towards the server; 0: as fast as it goes. */
  rate = 0;
  #sockets = new Set();
  #server;

  /** @param {string} base of the server */
  static async open(base) {
    const { hostname, port } = new URL(base);
    const line = new Line();
    line.#server = net.createServer((near) => line.#join(near, net.connect(Number(port), hostname)));
    await new Promise((done) => line.#server.listen(0, '127.0.0.1', done));
    line.base = `http://127.0.0.1:${line.#server.address().port}`;
    return line;
  }

  #join(near, far) {
    for (const s of [near, far]) {
      this.#sockets.add(s);
      s.on('error', () => {});
      s.on('close', () => {
        this.#sockets.delete(s);
        near.destroy();
        far.destroy();
      });
    }
    far.pipe(near);
    near.on('data', (d) => {
      const wait = this.rate === 0 ? 0 : (d.length / this.rate) * 1000;
      near.pause();
      far.write(d, () => setTimeout(() => near.resume(), wait));
    });
  }

  /** Everything that is under way breaks off. */
  cut() {
    for (const s of this.#sockets) s.destroy();
  }

  close() {
    this.cut();
    this.#server.close();
  }
}
