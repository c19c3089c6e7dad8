/** What a metronome calls at each beat. */
export type Listener = () => void;

/** Listeners that are called together. */
interface Beat {
  /** When it is next, in milliseconds on the monotonic clock. */
  due: number;
  listeners: Set<Listener>;
}

/** How much earlier than its own time a listener may be called, to share the beat of another. */
const LONGEST_SLACK_MS = 10;

/**
 * The pace of all readers: one timer for everybody.
 *
 * Each listener is due one interval after it joined, and every interval after that, counted on the
 * monotonic clock: a late timer delays one call and never the ones behind it. All have the same
 * interval, so a queue in order of due time is enough: a beat that has been goes to its end.
 */
export class Metronome {
  readonly #intervalMs: number;
  readonly #slackMs: number;
  readonly #queue: Beat[] = [];
  readonly #beats = new Map<Listener, Beat>();
  #timer: NodeJS.Timeout | undefined;

  /** @param intervalMs from one beat to the next, in milliseconds */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
    this.#slackMs = Math.min(LONGEST_SLACK_MS, intervalMs / 10);
  }

  /** Calls `listener` every interval from now on, the first time one interval from now. */
  join(listener: Listener): void {
    this.leave(listener);
    // What is due already goes first, so that the newcomer's beat is the last of the queue.
    this.#catchUp();
    const due = performance.now() + this.#intervalMs;
    let beat = this.#queue.at(-1);
    if (!beat || due - beat.due >= this.#slackMs) {
      beat = { due, listeners: new Set() };
      this.#queue.push(beat);
    }
    beat.listeners.add(listener);
    this.#beats.set(listener, beat);
    this.#arm();
  }

  /** Calls `listener` no more. One that never joined is no error. */
  leave(listener: Listener): void {
    this.#beats.get(listener)?.listeners.delete(listener);
    this.#beats.delete(listener);
    if (this.#beats.size > 0) return;
    this.#queue.length = 0;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #catchUp(): void {
    const now = performance.now();
    for (let beat = this.#queue[0]; beat && beat.due <= now; beat = this.#queue[0]) {
      this.#queue.shift();
      if (beat.listeners.size === 0) continue;
      beat.due += this.#intervalMs;
      this.#queue.push(beat);
      // A copy, for who joins meanwhile; who leaves meanwhile is not called.
      for (const listener of [...beat.listeners]) if (beat.listeners.has(listener)) listener();
    }
  }

  #arm(): void {
    const [next] = this.#queue;
    if (this.#timer || !next) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#catchUp();
      this.#arm();
    }, Math.ceil(next.due - performance.now()));
  }
}
