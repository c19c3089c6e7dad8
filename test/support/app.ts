import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createApp } from '../../dist/app.js';

/** Runs an app on a free port of this machine. */
export async function startApp(stanzas: readonly string[], intervalMs: number) {
  const allowedOrigins = new Set(['https://friend.example']);
  const app = createApp(stanzas, { listen: { port: 0 }, intervalMs, allowedOrigins });
  app.server.listen(0, '127.0.0.1');
  await once(app.server, 'listening');
  return { ...app, port: (app.server.address() as AddressInfo).port }; // It listens on a port.
}
