import type { Server } from 'node:http';
import { SettingError } from './settings.js';

/** Adapts a server to iisnode. Throws SettingError if PORT is not a pipe: IIS would wait 25 s. */
export function hostInIisnode(server: Server, listen: { path: string } | { port: number }): void {
  // A PORT of the machine wins over the one that iisnode sets (tjanczuk/iisnode#528).
  const remedy = 'Delete the variable PORT of this machine, then net stop was /y, net start w3svc.';
  if ('port' in listen) throw new SettingError(`PORT: "${listen.port}" is not a pipe. ${remedy}`);
  // Older Firefoxes send `keep-alive, Upgrade`; iisnode drops Upgrade (cprotocolbridge.cpp).
  server.on('connection', (socket) => socket.prependListener('data', repairHandshake));
  server.prependListener('upgrade', ({ socket }) => socket.off('data', repairHandshake));
}

/** Overwrites `keep-alive` with `Upgrade`, in place. iisnode sends the head in one piece. */
function repairHandshake(chunk: Buffer): void {
  const head = chunk.toString('latin1', 0, chunk.indexOf('\r\n\r\n') + 2);
  const at = head.search(/^connection: keep-alive\r$/im);
  if (at === -1 || !/^upgrade: websocket\r$/im.test(head)) return;
  chunk.write('Connection: Upgrade   ', at);
}
