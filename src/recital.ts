import type WebSocket from 'faye-websocket';
import { createMetronome } from './metronome.js';

/**
 * Reads the same stanzas to any number of readers, all at one pace, each from where it is: one text
 * message a stanza, the first at once when its socket opens, then one every `intervalMs`, and after
 * the last one close code 1000 (RFC 6455 section 7.4.1).
 */
export function createRecital(stanzas: readonly string[], intervalMs: number) {
  const metronome = createMetronome(intervalMs);
  const readers = new Set<WebSocket.Socket>();

  /** Reads to one that has heard `from` stanzas already, at the most `maxFrom`. */
  function begin(reader: WebSocket.Socket, from: number): void {
    let heard = from;
    let full = false;
    const beat = (): void => {
      // A reader that does not drain waits for a later beat, and does not fill the memory.
      if (full) return;
      const stanza = stanzas[heard++];
      if (stanza !== undefined) full = !reader.send(stanza);
      if (heard < stanzas.length) return;
      metronome.leave(beat);
      reader.close(1000);
    };
    // Not before `open`: close() would end the connection without an answer to the handshake.
    reader.on('open', () => {
      readers.add(reader);
      metronome.join(beat);
      beat();
    });
    reader.on('drain', () => void (full = false));
    reader.on('close', () => {
      metronome.leave(beat);
      readers.delete(reader);
    });
  }

  /** Closes every reader. Throws unless `code` is 1000 or 3000 to 4999. */
  function close(code: number, reason: string): void {
    for (const reader of readers) reader.close(code, reason);
  }

  return { maxFrom: stanzas.length, begin, close };
}
