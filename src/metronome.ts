/** What a metronome calls at each beat. */
export type Listener = () => void;

/** How much earlier than its own time a listener may be called, to share the beat of another. */
const LONGEST_SLACK_MS = 10;

/**
 * The pace of all readers: one timer for everybody.
 *
 * Each listener is due one interval after it joined, and every interval after that, counted on the
 * monotonic clock: a late timer delays one call and never the ones behind it. All have the same
 * interval, so a queue in order of due time is enough: whoever has been served goes to its end.
 */
export class Metronome {
  readonly #intervalMs: number;
  readonly #slackMs: number;
  /** Who is due when (ms); a Map keeps the order in which its keys were added. */
  readonly #queue = new Map<Listener, number>();
  /** The due time of whoever was put into the queue last (ms). */
  #lastDue = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param intervalMs from one beat to the next, in milliseconds */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
    this.#slackMs = Math.min(LONGEST_SLACK_MS, intervalMs / 10);
  }

  /** Calls `listener` every interval from now on, the first time one interval from now. */
  join(listener: Listener): void {
    // Served first, so that nobody who is due already comes to stand behind the newcomer.
    this.#serve();
    const due = performance.now() + this.#intervalMs;
    this.#enqueue(listener, due - this.#lastDue < this.#slackMs ? this.#lastDue : due);
    this.#arm();
  }

  /** Calls `listener` no more. One that never joined is no error. */
  leave(listener: Listener): void {
    this.#queue.delete(listener);
    if (this.#queue.size === 0) this.#disarm();
  }

  #enqueue(listener: Listener, due: number): void {
    this.#queue.set(listener, due);
    this.#lastDue = due;
  }

  #serve(): void {
    const now = performance.now();
    for (const [listener, due] of this.#queue) {
      if (due > now) break;
      this.#queue.delete(listener);
      this.#enqueue(listener, due + this.#intervalMs);
      listener();
    }
  }

  #arm(): void {
    if (this.#timer) return;
    for (const due of this.#queue.values()) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#serve();
        this.#arm();
      }, Math.ceil(due - performance.now()));
      break;
    }
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
