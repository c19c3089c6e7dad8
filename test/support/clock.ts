import type { TestContext } from 'node:test';

/** A clock that stands still until a test advances it, for the code under test. */
export class FakeClock {
  nowMs = 1000;
  readonly timers = new Map<number, { at: number; callback: () => void }>();
  /** The delays of all timers so far, in milliseconds. */
  readonly delays: number[] = [];

  /** Replaces the global clock and timers until the test ends. */
  install(t: TestContext): this {
    t.mock.method(performance, 'now', () => this.nowMs);
    t.mock.method(globalThis, 'setTimeout', this.setTimer);
    t.mock.method(globalThis, 'clearTimeout', this.clearTimer);
    return this;
  }

  readonly setTimer = (callback: () => void, delayMs: number): number => {
    const id = this.delays.push(delayMs);
    // Node and browsers alike: whole milliseconds, at least one.
    this.timers.set(id, { at: this.nowMs + Math.max(1, Math.trunc(delayMs)), callback });
    return id;
  };

  readonly clearTimer = (id: number | undefined): void => {
    if (id !== undefined) this.timers.delete(id);
  };

  /** Advances to the next timer that is due by `endMs` and calls it. Returns false without one. */
  next(endMs = Infinity): boolean {
    let next: [number, { at: number; callback: () => void }] | undefined;
    for (const timer of this.timers) if (!next || timer[1].at < next[1].at) next = timer;
    if (!next || next[1].at > endMs) return false;
    this.timers.delete(next[0]);
    this.nowMs = Math.max(this.nowMs, next[1].at);
    next[1].callback();
    return true;
  }

  /** Lets time pass; each timer fires when it is due. */
  advance(ms: number): void {
    const endMs = this.nowMs + ms;
    while (this.next(endMs));
    this.nowMs = endMs;
  }

  /** Lets time pass while the process is busy or asleep: no timer fires. */
  stall(ms: number): void {
    this.nowMs += ms;
  }
}
