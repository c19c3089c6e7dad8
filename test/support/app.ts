import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import { createApp } from '../../dist/app.js';

/** Lets a server listen on a free port of this machine, and resolves with the port. */
export async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port; // Only a path's address is a string.
}

export async function startApp(stanzas: readonly string[], intervalMs: number) {
  const allowedOrigins = new Set(['https://friend.example']);
  const app = createApp(stanzas, { listen: { port: 0 }, intervalMs, allowedOrigins });
  return { ...app, port: await listen(app.server) };
}
