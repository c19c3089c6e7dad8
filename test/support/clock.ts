import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

type Timer = { atMs: number; callback: () => void; unref: () => void };

/** Replaces the global clock and timers until the test ends. It stands still until advanced. */
export class FakeClock {
  /** Add to it to let time pass while the process is busy or asleep: no timer fires. */
  nowMs = 1000;
  /** In the order in which they fire. */
  timers: Timer[] = [];

  constructor(t: TestContext) {
    t.mock.method(performance, 'now', () => this.nowMs);
    t.mock.method(globalThis, 'setTimeout', (callback: () => void, delayMs: number) => {
      assert.ok(delayMs >= 0, 'Node warns of a negative delay');
      // Node and browsers alike: whole milliseconds, at least one.
      const atMs = this.nowMs + Math.max(1, Math.trunc(delayMs));
      const timer = { atMs, callback, unref() {} };
      this.timers = [...this.timers, timer].sort((a, b) => a.atMs - b.atMs);
      return timer;
    });
    t.mock.method(globalThis, 'clearTimeout', (timer?: Timer) => {
      this.timers = this.timers.filter((other) => other !== timer);
    });
  }

  /** Advances to the next timer that is due by `endMs` and calls it. Returns false without one. */
  next(endMs = Infinity): boolean {
    const [next] = this.timers;
    if (!next || next.atMs > endMs) return false;
    this.timers.shift();
    this.nowMs = Math.max(this.nowMs, next.atMs);
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
