import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Longer than the 30 s for which iisnode keeps an idle pipe (maxNamedPipePooledConnectionAge). */
const KEEP_ALIVE_MS = 120_000;

/**
 * What only iisnode needs of a server: without IIS, delete this file and its call in server.ts.
 *
 * - iisnode writes a request into any pipe that it has kept, also one that Node is just closing, and
 *   answers 500 (cconnectionpool.cpp). So it is iisnode that gives an idle pipe up first.
 * - iisnode changes every Connection header but `Upgrade` to `keep-alive` (cprotocolbridge.cpp), that
 *   of older Firefoxes and of some proxies, `keep-alive, Upgrade`, too: such a handshake is mended.
 */
export function hostInIisnode(server: Server): void {
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  // Relied upon: a `data` listener takes the bytes from the parser's own reading of the pipe, one
  // that was prepended sees them before the parser, and the parser gets the very same Buffer.
  server.on('connection', (socket: Socket) => socket.prependListener('data', mendHandshake));
  server.prependListener('upgrade', ({ socket }) => socket.off('data', mendHandshake));
}

/** Writes `Upgrade` over `keep-alive`, in place; iisnode sends the head of a request in one piece. */
function mendHandshake(chunk: Buffer): void {
  const head = chunk.toString('latin1', 0, chunk.indexOf('\r\n\r\n') + 2);
  const at = head.search(/^connection: keep-alive\r$/im);
  if (at < 0 || !/^upgrade: websocket\r$/im.test(head)) return;
  chunk.write('Connection: Upgrade   ', at, 'latin1');
}
