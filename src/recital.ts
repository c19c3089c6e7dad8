import type WebSocket from 'faye-websocket';
import { Metronome } from './metronome.js';

/** Ends one reader's recital with a close code and a reason; more than once is no error. */
export type Stop = (code: number, reason?: string) => void;

/** Begins to read to a reader that has heard `from` stanzas already (0 to the number of stanzas). */
export type Recite = (socket: WebSocket.Socket, from: number) => Stop;

/**
 * Prepares the reading of `stanzas` to any number of readers, all at one pace.
 *
 * A reader gets one text message a stanza, the first at once when its socket opens, then one every
 * `intervalMs` milliseconds, and after the last one close code 1000 (RFC 6455 section 7.4.1).
 */
export function createRecite(stanzas: readonly string[], intervalMs: number): Recite {
  const metronome = new Metronome(intervalMs);

  return (socket, from) => {
    let heard = from;
    let draining = false;
    let overdue = false;

    const leave = (): void => {
      overdue = false;
      metronome.leave(beat);
    };

    const stop: Stop = (code, reason) => {
      leave();
      socket.close(code, reason);
    };

    const beat = (): void => {
      if (draining) {
        leave();
        overdue = true;
        return;
      }
      const stanza = stanzas[heard];
      if (stanza !== undefined) {
        draining = !socket.send(stanza);
        heard += 1;
      }
      if (heard >= stanzas.length) stop(1000);
    };

    const begin = (): void => {
      overdue = false;
      metronome.join(beat);
      beat();
    };

    // Not before `open`: close() would end the connection without an answer to the handshake.
    socket.on('open', begin);
    socket.on('drain', () => {
      draining = false;
      if (overdue) begin();
    });
    socket.on('close', leave);
    return stop;
  };
}
