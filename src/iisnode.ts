import type { Server } from 'node:http';

/**
 * What only iisnode needs of a server: without IIS, delete this file and its call in server.ts.
 *
 * iisnode writes a request into any pipe that it has kept, also one that Node is just closing, and
 * answers 500 (cconnectionpool.cpp): so Node keeps idle pipes for longer than its 30 s. It changes
 * every Connection header but `Upgrade` to `keep-alive` (cprotocolbridge.cpp), also that of older
 * Firefoxes and some proxies, `keep-alive, Upgrade`: a handshake is mended before it is parsed.
 */
export function hostInIisnode(server: Server): void {
  server.keepAliveTimeout = 120_000;
  // Relied upon: a `data` listener takes the bytes from the parser's own reading of the pipe, one
  // that was prepended sees them before the parser, and the parser gets the very same Buffer.
  server.on('connection', (socket) => socket.prependListener('data', mendHandshake));
  server.prependListener('upgrade', ({ socket }) => socket.off('data', mendHandshake));
}

/** Writes `Upgrade` over `keep-alive`, in place; iisnode sends the head in one piece. */
function mendHandshake(chunk: Buffer): void {
  const head = chunk.toString('latin1', 0, chunk.indexOf('\r\n\r\n') + 2);
  const at = head.search(/^connection: keep-alive\r$/im);
  if (at < 0 || !/^upgrade: websocket\r$/im.test(head)) return;
  chunk.write('Connection: Upgrade   ', at, 'latin1');
}
