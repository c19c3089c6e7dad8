import type { TestContext } from 'node:test';

interface Timer {
  at: number;
  callback: () => void;
}

/** A clock that stands still until it is told to go on, for the code under test that reads it. */
export class FakeClock {
  nowMs = 1000;
  readonly timers = new Map<number, Timer>();
  /** Every delay that was asked for, in milliseconds. */
  readonly delays: number[] = [];
  #lastId = 0;

  /** Puts this clock in the place of the global one until the test ends. */
  install(t: TestContext): this {
    t.mock.method(performance, 'now', () => this.nowMs);
    t.mock.method(globalThis, 'setTimeout', this.setTimer);
    t.mock.method(globalThis, 'clearTimeout', this.clearTimer);
    return this;
  }

  readonly setTimer = (callback: () => void, delayMs: number): number => {
    const id = ++this.#lastId;
    this.delays.push(delayMs);
    // Node and browsers alike: whole milliseconds, at least one.
    this.timers.set(id, { at: this.nowMs + Math.max(1, Math.trunc(delayMs)), callback });
    return id;
  };

  readonly clearTimer = (id: number | undefined): void => {
    if (id !== undefined) this.timers.delete(id);
  };

  /** Lets time pass, each timer firing when it is due. */
  advance(ms: number): void {
    const end = this.nowMs + ms;
    for (;;) {
      const [next] = [...this.timers].sort(([, a], [, b]) => a.at - b.at);
      if (!next || next[1].at > end) break;
      this.timers.delete(next[0]);
      this.nowMs = Math.max(this.nowMs, next[1].at);
      next[1].callback();
    }
    this.nowMs = end;
  }

  /** Lets time pass while the process is busy: no timer fires until it is over. */
  stall(ms: number): void {
    this.nowMs += ms;
  }
}
