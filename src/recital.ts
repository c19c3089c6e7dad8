import type WebSocket from 'faye-websocket';
import { Metronome } from './metronome.js';

/**
 * Reads the same stanzas to any number of readers, all at one pace, each from where it is: one text
 * message a stanza, the first at once when its socket opens, then one every interval, and after the
 * last one close code 1000 (RFC 6455 section 7.4.1).
 */
export class Recital {
  /** How many stanzas a reader can have heard at the most. */
  readonly maxFrom: number;
  readonly #stanzas: readonly string[];
  readonly #metronome: Metronome;
  readonly #readers = new Set<WebSocket.Socket>();

  /** @param intervalMs from one stanza to the next, in milliseconds */
  constructor(stanzas: readonly string[], intervalMs: number) {
    this.maxFrom = stanzas.length;
    this.#stanzas = stanzas;
    this.#metronome = new Metronome(intervalMs);
  }

  /** Reads to one that has heard `from` stanzas already, 0 to `maxFrom`. */
  begin(reader: WebSocket.Socket, from: number): void {
    let heard = from;
    let full = false;
    const beat = (): void => {
      // A reader that does not drain waits for a later beat, and does not fill the memory.
      if (full) return;
      const stanza = this.#stanzas[heard];
      if (stanza !== undefined) full = !reader.send(stanza);
      heard += 1;
      if (heard < this.maxFrom) return;
      this.#metronome.leave(beat);
      reader.close(1000);
    };
    // Not before `open`: close() would end the connection without an answer to the handshake.
    reader.on('open', () => {
      this.#readers.add(reader);
      this.#metronome.join(beat);
      beat();
    });
    reader.on('drain', () => void (full = false));
    reader.on('close', () => {
      this.#metronome.leave(beat);
      this.#readers.delete(reader);
    });
  }

  /** Closes every reader. Throws unless `code` is 1000 or 3000 to 4999. */
  close(code: number, reason: string): void {
    for (const reader of this.#readers) reader.close(code, reason);
  }
}
