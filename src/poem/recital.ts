import { createMetronome } from '../metronome.js';
import type { Reader, Stream } from '../reader.js';

/** Streams stanzas: the first one at once, then one every `intervalMs` milliseconds. */
export function createRecital(stanzas: readonly string[], intervalMs: number): Stream {
  const metronome = createMetronome(intervalMs);
  function begin(reader: Reader, next: number): void {
    const leave = metronome.join(sendNext);
    reader.on('close', leave);
    sendNext();

    function sendNext(): void {
      // Skip this beat while the reader's buffer is full.
      if (next < stanzas.length && reader.send(stanzas[next] ?? '')) next += 1;
      if (next < stanzas.length) return;
      leave();
      reader.close(1000); // All is done (RFC 6455 section 7.4.1).
    }
  }
  return { total: stanzas.length, begin };
}
