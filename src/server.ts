process.setSourceMapsEnabled(true); // First, so that all stack traces name lines of .ts files.

import type { AddressInfo } from 'node:net';
import { createApp } from './app.js';
import { hostInIisnode } from './iisnode.js';
import { canto1 } from './poem/canto1.js';
import { createRecital } from './poem/recital.js';
import { readSettings, SettingError, type Settings } from './settings.js';

const SHUTDOWN_MS = 3000; // How long readers may take to answer the close frame.
// Loading this file starts the server: under iisnode it is not the main module.
try {
  start(readSettings(process.env));
} catch (error) {
  const { message, syscall } = error as NodeJS.ErrnoException;
  if (error instanceof SettingError) fail(message);
  else if (!syscall || !message.includes('public')) throw error;
  else fail(`Restore public/, or let this account read it: ${message}.`);
}

function start(settings: Settings): void {
  const { listen } = settings;
  const { server, close } = createApp(createRecital(canto1, settings.intervalMs), settings);
  if (process.env['IISNODE_VERSION']) hostInIisnode(server, listen);
  server.on('error', (error) => {
    // Once it listens, only a single connection has failed.
    if (server.listening) console.error(`A connection was not accepted: ${error.message}.`);
    else fail(`Cannot start: ${error.message}. Set another PORT or HOST, or free this one.`);
  });
  server.listen(listen, () => {
    if ('path' in listen) return console.log(`Listening on ${listen.path}`);
    const host = listen.host?.includes(':') ? `[${listen.host}]` : (listen.host ?? 'localhost');
    const { port } = server.address() as AddressInfo; // A string for a path only.
    console.log(`Listening on http://${host}:${port}/`);
  });

  const shutDown = (): void => {
    close();
    setTimeout(() => process.exit(0), SHUTDOWN_MS).unref();
  };
  process.on('SIGINT', shutDown).on('SIGTERM', shutDown);
}

function fail(message: string): void {
  console.error(message);
  process.exitCode = 1;
}
