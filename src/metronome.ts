type Listener = () => void;

/**
 * The pace of all readers: one timer for everybody.
 *
 * Each listener is due one interval after it joined, and every interval after that, counted on the
 * monotonic clock: a late timer delays one call and never the ones behind it. All have the same
 * interval, so that order of insertion is order of due time: who has been due goes to the end.
 *
 * @param intervalMs from one beat to the next, in milliseconds
 */
export function createMetronome(intervalMs: number) {
  /** When each listener is next due, in milliseconds on the monotonic clock. */
  const queue = new Map<Listener, number>();
  /** Whom the timer is to call, each as often as it has been due. */
  const overdue: Listener[] = [];
  let lastDue = 0;
  let timer: NodeJS.Timeout | undefined;

  /** Calls `listener` every interval from now on, the first time one interval from now. */
  function join(listener: Listener): void {
    const now = performance.now();
    // Who is due by now goes to the end first, or would stay behind the newcomer for good.
    advance(now);
    const due = now + intervalMs;
    // Up to 10 ms early (a tenth of a short interval), it shares the beat of the last one.
    if (due - lastDue >= Math.min(10, intervalMs / 10)) lastDue = due;
    queue.set(listener, lastDue);
    arm();
  }

  /** Calls `listener` no more. One that never joined is no error. */
  function leave(listener: Listener): void {
    queue.delete(listener);
    if (queue.size > 0) return;
    clearTimeout(timer);
    timer = undefined;
  }

  function advance(now: number): void {
    // Comes to those that it has moved as well: they may be due more than once.
    for (const [listener, due] of queue) {
      if (due > now) return;
      overdue.push(listener);
      lastDue = due + intervalMs;
      queue.delete(listener);
      queue.set(listener, lastDue);
    }
  }

  function arm(): void {
    const [next] = queue.values();
    if (timer || next === undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      advance(performance.now());
      // Who is made to leave by another is not called.
      for (const listener of overdue) if (queue.has(listener)) listener();
      overdue.length = 0;
      arm();
    }, Math.max(0, Math.ceil(next - performance.now())));
  }

  return { join, leave };
}
