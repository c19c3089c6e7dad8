type Listener = () => void;
/** Listeners that are due together, in milliseconds on the monotonic clock. */
type Beat = { due: number; listeners: Set<Listener>; timer?: NodeJS.Timeout };

/** The pace of all readers: calls each listener every `intervalMs` milliseconds after it joined. */
export function createMetronome(intervalMs: number) {
  const beats = new Map<Listener, Beat>();
  let newest: Beat | undefined;
  /** Calls `listener` every interval, the first time one interval from now. */
  function join(listener: Listener): void {
    const due = performance.now() + intervalMs;
    // Share the newest beat if it comes at most 10 ms early (a tenth of a short interval).
    if (!newest || due - newest.due >= Math.min(10, intervalMs / 10)) {
      newest = { due, listeners: new Set() };
      schedule(newest, intervalMs);
    }
    newest.listeners.add(listener);
    beats.set(listener, newest);
  }

  /** Stops calling `listener`, if it has joined. */
  function leave(listener: Listener): void {
    const beat = beats.get(listener);
    beats.delete(listener);
    if (!beat?.listeners.delete(listener) || beat.listeners.size > 0) return;
    clearTimeout(beat.timer);
    if (beat === newest) newest = undefined;
  }

  function schedule(beat: Beat, delayMs: number): void {
    beat.timer = setTimeout(() => {
      const now = performance.now();
      // A late timer delays no later beat. After a longer stall, the missed beats are skipped.
      beat.due = (now - beat.due < intervalMs ? beat.due : now) + intervalMs;
      schedule(beat, Math.ceil(beat.due - now));
      // A copy, because listeners may join and leave during the loop.
      for (const listener of [...beat.listeners]) if (beat.listeners.has(listener)) listener();
    }, delayMs);
  }
  return { join, leave };
}
