type Listener = () => void;

/**
 * The pace of all readers: one timer for everybody.
 *
 * Each listener is due one interval after it joined, and every interval after that, counted on the
 * monotonic clock: a late timer delays one call and never the ones behind it. All have the same
 * interval, so that order of insertion is order of due time: who has been due goes to the end.
 */
export class Metronome {
  readonly #intervalMs: number;
  /** When each listener is next due, in milliseconds on the monotonic clock. */
  readonly #due = new Map<Listener, number>();
  #lastDue = 0;
  /** Whom the timer is to call, each as often as it has been due. */
  readonly #overdue: Listener[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param intervalMs from one beat to the next, in milliseconds */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** Calls `listener` every interval from now on, the first time one interval from now. */
  join(listener: Listener): void {
    const now = performance.now();
    // Who is due by now goes to the end first, or would stay behind the newcomer for good.
    this.#advance(now);
    const due = now + this.#intervalMs;
    // Up to 10 ms early (a tenth of a short interval), it shares the beat of the last one.
    if (due - this.#lastDue >= Math.min(10, this.#intervalMs / 10)) this.#lastDue = due;
    this.#due.set(listener, this.#lastDue);
    this.#arm();
  }

  /** Calls `listener` no more. One that never joined is no error. */
  leave(listener: Listener): void {
    this.#due.delete(listener);
    if (this.#due.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#overdue.length = 0;
  }

  #advance(now: number): void {
    // Comes to those that it has moved as well: they may be due more than once.
    for (const [listener, due] of this.#due) {
      if (due > now) return;
      this.#overdue.push(listener);
      this.#lastDue = due + this.#intervalMs;
      this.#due.delete(listener);
      this.#due.set(listener, this.#lastDue);
    }
  }

  #arm(): void {
    const [next] = this.#due.values();
    if (this.#timer || next === undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#advance(performance.now());
      // Who is made to leave by another is not called.
      for (const listener of this.#overdue) if (this.#due.has(listener)) listener();
      this.#overdue.length = 0;
      this.#arm();
    }, Math.max(0, Math.ceil(next - performance.now())));
  }
}
