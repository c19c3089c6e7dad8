import { connect } from 'node:net';
import { handshake } from '../support/raw.js';
import { stanzas } from './report.js';

/**
 * Opens a reader that only counts. Resolves with the first stanza; rejects if there is none.
 * Adds to `late`, for the last stanza to `lastLate`, by how many ms a stanza missed its schedule.
 */
export function openReader(port: number, intervalMs: number, late: number[], lastLate: number[]) {
  return new Promise<void>((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    let heard = 0;
    let firstAt: number | undefined;
    const socket = connect(port, '127.0.0.1');
    socket.on('error', reject).on('close', () => reject(new Error('The server closed a reader.')));
    socket.write(handshake());
    socket.on('data', (chunk) => {
      const now = performance.now();
      bytes = Buffer.concat([bytes, chunk]);
      // H: the response to the handshake. It is one write and comes in one piece.
      if (bytes[0] === 0x48) bytes = bytes.subarray(bytes.indexOf('\r\n\r\n') + 4);
      while (bytes.length >= 2 + (bytes[1] ?? 0)) {
        const [opcode, length = 0] = bytes;
        bytes = bytes.subarray(2 + length);
        if (opcode === 0x88) socket.resetAndDestroy();
        // An empty message is a sign of life, not a stanza.
        if (opcode !== 0x81 || length === 0) continue;
        firstAt ??= now;
        const lateMs = now - firstAt - heard * intervalMs;
        heard += 1;
        (heard < stanzas.length ? late : lastLate).push(lateMs);
        resolve();
      }
    });
  });
}
