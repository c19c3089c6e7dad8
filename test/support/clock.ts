import type { TestContext } from 'node:test';

type Timer = { atMs: number; everyMs: number; callback: () => void; unref: () => Timer };

/** Replaces the global clocks and timers until the test ends. They stand still until advanced. */
export class FakeClock {
  /** The monotonic clock. Add to it to let time pass while the process is busy: no timer fires. */
  nowMs = 0;
  /** How far `Date.now()` is ahead: change it to set the clock, or to sleep as a phone does. */
  aheadMs = 1e12;
  timers: Timer[] = [];

  constructor(t: TestContext) {
    t.mock.method(performance, 'now', () => this.nowMs);
    t.mock.method(Date, 'now', () => this.nowMs + this.aheadMs);
    for (const kind of ['Timeout', 'Interval'] as const) {
      t.mock.method(globalThis, `set${kind}` as const, (callback: () => void, delayMs: number) => {
        // Node and browsers alike: whole milliseconds, at least one.
        const ms = Math.max(1, Math.trunc(delayMs));
        const everyMs = kind === 'Interval' ? ms : 0;
        const timer: Timer = { atMs: this.nowMs + ms, everyMs, callback, unref: () => timer };
        this.timers.push(timer);
        return timer;
      });
      const clear = globalThis[`clear${kind}`];
      t.mock.method(globalThis, `clear${kind}` as const, (timer: Timer & NodeJS.Timeout) => {
        this.timers = this.timers.filter((other) => other !== timer);
        clear(timer); // It may be a real one, from before.
      });
    }
  }

  /** Calls the next timer that is due by `endMs`. Without one, advances to then: false. */
  next(endMs = Infinity): boolean {
    const [next] = this.timers.sort((a, b) => a.atMs - b.atMs);
    const isDue = next !== undefined && next.atMs <= endMs;
    this.nowMs = Math.max(this.nowMs, isDue ? next.atMs : endMs);
    if (!isDue) return false;
    this.timers.shift();
    if (next.everyMs) this.timers.push(Object.assign(next, { atMs: this.nowMs + next.everyMs }));
    next.callback();
    return true;
  }

  /** Lets time pass; each timer fires when it is due. */
  advance(ms: number): void {
    const endMs = this.nowMs + ms;
    while (this.next(endMs));
  }
}
