/** The pace of many readers: calls each listener every `intervalMs` milliseconds. */
export function createMetronome(intervalMs: number) {
  let newest = { dueMs: 0, listeners: new Set<() => void>() }; // Those that are due together.

  /** Calls `listener` first one interval from now. Returns a function that ends the calls. */
  function join(listener: () => void): () => void {
    const dueMs = performance.now() + intervalMs;
    // Share the newest beat if it comes at most 10 ms early (a tenth of a short interval).
    if (dueMs - newest.dueMs >= Math.min(10, intervalMs / 10)) {
      newest = { dueMs, listeners: new Set() };
      schedule(newest, intervalMs);
    }
    const { listeners } = newest;
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  function schedule(beat: typeof newest, delayMs: number): void {
    setTimeout(() => {
      if (beat.listeners.size === 0) return;
      const nowMs = performance.now();
      // A late timer delays no later beat. After a longer stall, the missed beats are skipped.
      beat.dueMs = (nowMs - beat.dueMs < intervalMs ? beat.dueMs : nowMs) + intervalMs;
      schedule(beat, Math.ceil(beat.dueMs - nowMs));
      // A copy, because listeners may join and leave during the loop.
      for (const listener of [...beat.listeners]) if (beat.listeners.has(listener)) listener();
    }, delayMs).unref();
  }
  return { join };
}
