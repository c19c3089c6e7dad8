import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

type Timer = { atMs: number; everyMs: number; callback: () => void; unref: () => Timer };

/** Replaces the global clocks and timers until the test ends. They stand still until advanced. */
export class FakeClock {
  /** The monotonic clock. Add to it to let time pass while the process is busy: no timer fires. */
  nowMs = 1000;
  /** How far `Date.now()` is ahead: change it to set the clock, or to sleep as a phone does. */
  aheadMs = 1e12;
  /** In the order in which they fire. */
  timers: Timer[] = [];

  constructor(t: TestContext) {
    t.mock.method(performance, 'now', () => this.nowMs);
    t.mock.method(Date, 'now', () => this.nowMs + this.aheadMs);
    const replace = (name: 'setTimeout' | 'setInterval', repeats: boolean) => {
      t.mock.method(globalThis, name, (callback: () => void, delayMs: number) => {
        assert.ok(delayMs >= 0, 'Node warns of a negative delay');
        // Node and browsers alike: whole milliseconds, at least one.
        const ms = Math.max(1, Math.trunc(delayMs));
        const atMs = this.nowMs + ms;
        const timer = { atMs, everyMs: repeats ? ms : 0, callback, unref: () => timer };
        this.#add(timer);
        return timer;
      });
    };
    replace('setTimeout', false);
    replace('setInterval', true);
    for (const name of ['clearTimeout', 'clearInterval'] as const) {
      t.mock.method(globalThis, name, (timer?: Timer) => {
        this.timers = this.timers.filter((other) => other !== timer);
      });
    }
  }

  #add(timer: Timer): void {
    this.timers = [...this.timers, timer].sort((a, b) => a.atMs - b.atMs);
  }

  /** Advances to the next timer that is due by `endMs` and calls it. Returns false without one. */
  next(endMs = Infinity): boolean {
    const [next] = this.timers;
    if (!next || next.atMs > endMs) return false;
    this.timers.shift();
    this.nowMs = Math.max(this.nowMs, next.atMs);
    if (next.everyMs) this.#add(Object.assign(next, { atMs: this.nowMs + next.everyMs }));
    next.callback();
    return true;
  }

  /** Lets time pass; each timer fires when it is due. */
  advance(ms: number): void {
    const endMs = this.nowMs + ms;
    while (this.next(endMs));
    this.nowMs = endMs;
  }
}
