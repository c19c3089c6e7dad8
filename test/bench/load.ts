import { connect } from 'node:net';
import { handshake } from '../support/raw.js';

/**
 * Opens a reader that only counts. Resolves with the first stanza; rejects if there is none.
 * Adds to `late` by how many ms each stanza missed its schedule.
 */
export function openReader(port: number, intervalMs: number, late: number[]): Promise<void> {
  return new Promise((resolve, reject) => {
    let heard = 0;
    let firstAt: number | undefined;
    const socket = connect(port, '127.0.0.1');
    socket.on('error', reject).on('close', () => reject(new Error('The server closed a reader.')));
    socket.write(handshake());
    socket.on('data', (chunk) => {
      const now = performance.now();
      for (const byte of chunk) {
        if (byte !== 0x81) continue; // Only the first byte of a stanza's frame has this value.
        firstAt ??= now;
        late.push(now - firstAt - heard * intervalMs);
        heard += 1;
        resolve();
      }
    });
  });
}
