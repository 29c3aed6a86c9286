import { describe, expect, it } from 'vitest';
import { afterSeek, FASTEST, type Reading, SLOWEST, SyncController, summary } from './sync.js';

const reading = (r: Partial<Reading>): Reading => ({
  error: 0,
  position: 100,
  seekable: { start: 0, end: 116 },
  ahead: 12,
  at: 0,
  ...r,
});

describe('SyncController', () => {
  it('leaves a picture that is on time alone', () => {
    const c = new SyncController();
    for (const error of [0, 0.05, -0.05])
      expect(c.decide(reading({ error }))).toEqual({ rate: 1, seek: null });
  });

  it('slows down what is ahead and hurries what is late, within bounds', () => {
    expect(new SyncController().decide(reading({ error: 0.1 })).rate).toBeCloseTo(0.97);
    expect(new SyncController().decide(reading({ error: -0.1 })).rate).toBeCloseTo(1.03);
    const settled = () => {
      const c = new SyncController();
      c.decide(reading({}));
      return c;
    };
    expect(settled().decide(reading({ error: 1.9 })).rate).toBe(SLOWEST);
    expect(settled().decide(reading({ error: -1.9 })).rate).toBe(FASTEST);
  });

  it('goes on until the error is small, not only until it is bearable', () => {
    const c = new SyncController();
    c.decide(reading({ error: -0.1 }));
    expect(c.decide(reading({ error: -0.04 })).rate).toBeGreaterThan(1);
    expect(c.decide(reading({ error: -0.01 })).rate).toBe(1);
    expect(c.decide(reading({ error: -0.04 })).rate).toBe(1);
  });

  it('settles from any start within 20 s to under 0.1 s', () => {
    for (const start of [-1.9, -0.5, 0.3, 1.2]) {
      const c = new SyncController();
      c.decide(reading({}));
      let error = start;
      for (let t = 0; t < 40; t += 0.2) {
        const { rate } = c.decide(reading({ error, at: t * 1000 }));
        error += (rate - 1) * 0.2;
      }
      expect(Math.abs(error)).toBeLessThan(0.1);
    }
  });

  it('jumps when far off, within what can be reached, and not again at once', () => {
    const c = new SyncController();
    expect(c.decide(reading({ error: -8, at: 0 })).seek).toBeCloseTo(108.08);
    expect(c.decide(reading({ error: -8, at: 1_000 })).seek).toBeNull();
    expect(c.decide(reading({ error: -8, at: 5_000 })).seek).toBeCloseTo(108.08);
    expect(new SyncController().decide(reading({ error: -60 })).seek).toBe(115.5);
    expect(new SyncController().decide(reading({ error: 300 })).seek).toBe(0);
    expect(new SyncController().decide(reading({ error: -8, seekable: null })).seek).toBeNull();
  });

  it('jumps at once while the picture has only just started', () => {
    expect(new SyncController().decide(reading({ error: -0.7 })).seek).toBeCloseTo(100.78);
    expect(new SyncController().decide(reading({ error: -0.2 })).seek).toBeNull();
    const c = new SyncController();
    c.decide(reading({ error: 0 }));
    expect(c.decide(reading({ error: -0.7 })).seek).toBeNull();
    c.reset();
    expect(c.decide(reading({ error: -0.7 })).seek).not.toBeNull();
  });

  it('waits with that jump until there is something to jump into', () => {
    const c = new SyncController();
    expect(c.decide(reading({ error: -0.7, ahead: 0.5 })).seek).toBeNull();
    expect(c.decide(reading({ error: -0.7, ahead: 4 })).seek).not.toBeNull();
  });

  it('does not hurry on an empty buffer', () => {
    expect(new SyncController().decide(reading({ error: -1, ahead: 0.4 })).rate).toBe(1);
  });
});

describe('afterSeek', () => {
  it('takes a landing near the air for the air', () => {
    expect(afterSeek(0.5, false)).toBe('live');
    expect(afterSeek(30, false)).toBe('behind');
    expect(afterSeek(0, true)).toBe('paused');
  });
});

describe('summary', () => {
  it('is of absolute errors', () => {
    expect(summary([])).toBeNull();
    expect(summary([-0.3, 0.1, 0.2])).toEqual({ median: 0.2, worst: 0.3 });
  });
});
