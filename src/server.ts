// First of all, so that every stack trace names the line of the .ts file.
process.setSourceMapsEnabled(true);

import type { AddressInfo } from 'node:net';
import { createApp } from './app.js';
import { canto1 } from './canto1.js';
import { hostInIisnode } from './iisnode.js';
import { readSettings, SettingError, type Settings } from './settings.js';

/** How long readers may take to answer the close when the server shuts down, in milliseconds. */
const SHUTDOWN_MS = 3000;
/** Signals within so many milliseconds are one press of Ctrl+C: npm and a shell pass it on as well. */
const ONE_PRESS_MS = 500;

// Loading this file starts the server: iisnode requires it, so it is not the main module there.
try {
  start(readSettings(process.env));
} catch (error) {
  if (!(error instanceof SettingError)) throw error;
  fail(error.message);
}

function start(settings: Settings): void {
  const { listen } = settings;
  const { server, close } = createApp(canto1, settings);
  if (process.env['IISNODE_VERSION']) hostInIisnode(server);

  server.on('error', (error) => {
    // Once it listens, an error is that of one connection that could not be accepted.
    if (server.listening) console.error(`A connection was refused: ${error.message}.`);
    else fail(explain(error, listen));
  });
  server.listen(listen, () => {
    console.log(`Dante reads at ${formatAddress(server.address(), listen)}`);
  });

  let signalledAt = 0;
  const shutDown = (): void => {
    if (signalledAt && performance.now() - signalledAt > ONE_PRESS_MS) process.exit(1);
    if (signalledAt) return;
    signalledAt = performance.now();
    close();
    setTimeout(() => process.exit(0), SHUTDOWN_MS).unref();
  };
  process.on('SIGINT', shutDown);
  process.on('SIGTERM', shutDown);
}

function fail(message: string): void {
  console.error(message);
  process.exitCode = 1;
}

/** Why the server cannot listen, and what to do about it. */
function explain({ code = '', message }: NodeJS.ErrnoException, listen: Settings['listen']): string {
  const isPath = 'path' in listen;
  const reasons: Record<string, string> = {
    EADDRINUSE: isPath
      ? ', it is there already: stop the program that listens on it or, if none does, delete the file'
      : ', it is in use: stop the program that has it, or set PORT to another',
    EACCES: ', there is no right to: set PORT to another, such as 8888, or run with more rights',
  };
  return `Cannot listen on ${isPath ? listen.path : `port ${listen.port}`}${reasons[code] ?? `: ${message}`}.`;
}

function formatAddress(address: AddressInfo | string | null, listen: Settings['listen']): string {
  if (address === null || typeof address === 'string' || 'path' in listen) return String(address);
  const host = listen.host?.includes(':') ? `[${listen.host}]` : listen.host;
  return `http://${host ?? 'localhost'}:${address.port}/`;
}
