process.setSourceMapsEnabled(true); // First, so that all stack traces name lines of .ts files.

import type { AddressInfo } from 'node:net';
import { createApp } from './app.js';
import { hostInIisnode } from './iisnode.js';
import { canto1 } from './poem/canto1.js';
import { createRecital } from './poem/recital.js';
import { readSettings, SettingError } from './settings.js';

process.exitCode = 1; // Until it listens.
const exitSoon = () => setTimeout(() => process.exit(), 3000).unref(); // Whatever is still open.
// Loading this file starts the server: under iisnode it is not the main module.
try {
  const settings = readSettings(process.env);
  const { server, close } = createApp(createRecital(canto1, settings.intervalMs), settings);
  if (process.env['IISNODE_VERSION']) hostInIisnode(server, settings.listen);
  server.on('error', ({ message }) => {
    if (server.listening) return console.error(`A connection was not accepted: ${message}.`);
    console.error(`Cannot start: ${message}. Set another PORT or HOST, or free this one.`);
    exitSoon();
  });
  server.listen(settings.listen, () => {
    process.exitCode = 0;
    if ('path' in settings.listen) return console.log(`Listening on ${settings.listen.path}`);
    const { host = 'localhost' } = settings.listen;
    const { port } = server.address() as AddressInfo; // A string for a path only.
    console.log(`Listening on http://${host.includes(':') ? `[${host}]` : host}:${port}/`);
  });

  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {
    process.exitCode = 0;
    close();
    exitSoon();
  });
} catch (error) {
  const { message, syscall } = error as NodeJS.ErrnoException;
  if (error instanceof SettingError) console.error(message);
  else if (!syscall || !message.includes('public')) throw error;
  else console.error(`Repair public/, or let this account read it: ${message}.`);
}
