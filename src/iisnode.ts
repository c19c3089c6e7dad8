import type { Server } from 'node:http';

/** Adapts a server to iisnode. Without IIS, delete this file and its call in server.ts. */
export function hostInIisnode(server: Server): void {
  // iisnode keeps idle pipes for 30 s, and answers 500 if Node closed one (cconnectionpool.cpp).
  server.keepAliveTimeout = 120_000;
  // It turns `Connection: keep-alive, Upgrade`, which older Firefoxes send, into `keep-alive`
  // (cprotocolbridge.cpp). A `data` listener that runs before the parser can change the Buffer.
  server.on('connection', (socket) => socket.prependListener('data', repairHandshake));
  server.prependListener('upgrade', ({ socket }) => socket.off('data', repairHandshake));
}

/** Overwrites `keep-alive` with `Upgrade`, in place. iisnode sends the head in one piece. */
function repairHandshake(chunk: Buffer): void {
  const head = chunk.toString('latin1', 0, chunk.indexOf('\r\n\r\n') + 2);
  const at = head.search(/^connection: keep-alive\r$/im);
  if (at < 0 || !/^upgrade: websocket\r$/im.test(head)) return;
  chunk.write('Connection: Upgrade   ', at, 'latin1');
}
