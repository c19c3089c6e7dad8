/** What Node can do at all: the handshake by hand, each frame encoded once, one timer, no checks. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { canto1 } from '../../dist/canto1.js';
import { createMetronome } from '../../dist/metronome.js';

const frames = canto1.map((stanza) => {
  const body = Buffer.from(stanza);
  const head = body.length < 126 ? [0x81, body.length] : [0x81, 126, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from(head), body]);
});
const CLOSE = Buffer.from([0x88, 2, 1000 >> 8, 1000 & 0xff]);

const metronome = createMetronome(Number(process.env['INTERVAL_MS']));
const server = createServer();

server.on('upgrade', (request, socket) => {
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash('sha1').update(key).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  let told = 0;
  const tell = (): void => {
    socket.write(frames[told++] ?? CLOSE);
    if (told < frames.length) return;
    metronome.leave(tell);
    socket.end(CLOSE);
  };
  socket.on('error', () => socket.destroy());
  socket.on('close', () => metronome.leave(tell));
  socket.resume();
  metronome.join(tell);
  tell();
});

server.listen(Number(process.env['PORT']), '127.0.0.1');
