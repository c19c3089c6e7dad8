import { createMetronome } from './metronome.js';
import type { Reader } from './reader.js';

/**
 * Streams stanzas to any number of readers. Each reader gets the first one at once, then one every
 * `intervalMs` milliseconds, and close code 1000 after the last (RFC 6455 section 7.4.1).
 */
export function createRecital(stanzas: readonly string[], intervalMs: number) {
  const metronome = createMetronome(intervalMs);
  /** Starts with a reader that has received `from` stanzas already, at most `maxFrom`. */
  function begin(reader: Reader, from: number): void {
    let heard = from;
    const beat = (): void => {
      const stanza = stanzas[heard];
      // Skip this beat while the reader's buffer is full.
      if (stanza !== undefined && !reader.send(stanza)) return;
      heard += 1;
      if (heard < stanzas.length) return;
      metronome.leave(beat);
      reader.close(1000);
    };
    reader.on('close', () => metronome.leave(beat));
    metronome.join(beat);
    beat();
  }
  return { maxFrom: stanzas.length, begin };
}
