/** The least work for the same stream: handshake by hand, frames encoded once, no checks. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { createMetronome } from '../../dist/metronome.js';
import { intervalMs, serve, stanzas } from './report.js';

const frames = stanzas.map((text) => Buffer.from([0x81, text.length, ...Buffer.from(text)]));
const metronome = createMetronome(intervalMs);
serve(createServer().on('upgrade', (request, socket) => {
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${createHash('sha1').update(key).digest('base64')}\r\n\r\n`);
  let sent = 0;
  socket.on('error', () => {}).resume();
  const leave = metronome.join(send);
  send();

  function send(): void {
    socket.write(frames[sent++] ?? '');
    if (sent < frames.length) return;
    leave();
    socket.end(Buffer.from([0x88, 2, 1000 >> 8, 1000 & 0xff]));
  }
}));
