type Listener = () => void;

/**
 * The pace of all readers: one timer for everybody, `intervalMs` milliseconds from beat to beat.
 *
 * Each listener is due one interval after it joined, and every interval after that, counted on the
 * monotonic clock: a late timer delays one call and never the ones behind it. All have the same
 * interval, so that order of insertion is order of due time: a beat that has been goes to the end.
 */
export function createMetronome(intervalMs: number) {
  /** Who is due at each beat, by its time in milliseconds on the monotonic clock. */
  const beats = new Map<number, Set<Listener>>();
  /** The beats that the timer is to call, each with those who were due. */
  const overdue: [Set<Listener>, Listener[]][] = [];
  let lastDue = 0;
  let timer: NodeJS.Timeout | undefined;

  /** Calls `listener` every interval from now on, the first time one interval from now. */
  function join(listener: Listener): void {
    const now = performance.now();
    // What is due by now goes to the end first, or would stay behind the newcomer for good.
    advance(now);
    const due = now + intervalMs;
    // Up to 10 ms early (a tenth of a short interval), it shares the last beat.
    if (due - lastDue >= Math.min(10, intervalMs / 10)) lastDue = due;
    beats.set(lastDue, (beats.get(lastDue) ?? new Set()).add(listener));
    arm();
  }

  /** Calls `listener` no more. One that never joined is no error. */
  function leave(listener: Listener): void {
    for (const [due, listeners] of beats) {
      if (listeners.delete(listener) && listeners.size === 0) beats.delete(due);
    }
    if (beats.size > 0) return;
    clearTimeout(timer);
    timer = undefined;
  }

  function advance(now: number): void {
    // Comes to those that it has moved as well: they may be due more than once.
    for (const [due, listeners] of beats) {
      if (due > now) return;
      overdue.push([listeners, [...listeners]]);
      lastDue = due + intervalMs;
      beats.delete(due);
      beats.set(lastDue, listeners);
    }
  }

  function arm(): void {
    const [next] = beats.keys();
    if (timer || next === undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      advance(performance.now());
      // Who is made to leave by another is not called.
      for (const [listeners, due] of overdue) {
        for (const listener of due) if (listeners.has(listener)) listener();
      }
      overdue.length = 0;
      arm();
    }, Math.max(0, Math.ceil(next - performance.now())));
  }

  return { join, leave };
}
