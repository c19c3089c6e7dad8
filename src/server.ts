process.setSourceMapsEnabled(true); // First, so that all stack traces name lines of .ts files.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createApp } from './app.js';
import { PUBLIC } from './assets.js';
import { hostInIisnode } from './iisnode.js';
import { canto1 } from './poem/canto1.js';
import { createRecital } from './poem/recital.js';
import { report } from './report.js';
import { readSettings, SettingError } from './settings.js';

// Loading this file starts the server: under iisnode it is not the main module.
try {
  const settings = readSettings(process.env);
  const { server, close } = createApp(createRecital(canto1, settings.intervalMs), settings);
  if (process.env['IISNODE_VERSION']) hostInIisnode(server, settings.listen);
  server.on('error', ({ message }) => {
    if (server.listening) return report('A connection was not accepted', message);
    fail(`Cannot start: ${message}. Set PORT or HOST, free the port, or delete an unused socket.`);
  });
  server.listen(settings.listen, () => {
    if ('path' in settings.listen) return console.log(`Listening on ${settings.listen.path}`);
    const host = settings.listen.host || 'localhost';
    const { port } = server.address() as AddressInfo; // A string for a path only.
    console.log(`Listening on http://${host.includes(':') ? `[${host}]` : host}:${port}/`);
  });

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGBREAK']) process.on(signal, async () => {
    setTimeout(() => process.exit(0), 3000); // Whatever is still open.
    const warn = (error: unknown): void => report('The stream did not close', error);
    await Promise.all([once(server, 'close'), close().catch(warn)]);
    process.exit(0);
  });
} catch (error) {
  const { message, path } = error as NodeJS.ErrnoException;
  if (error instanceof SettingError) fail(message);
  if (!path?.startsWith(PUBLIC)) throw error;
  fail(`Repair public/, or let this account read it: ${message}.`);
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
