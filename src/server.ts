// First of all, so that every stack trace names the line of the .ts file.
process.setSourceMapsEnabled(true);

import type { AddressInfo } from 'node:net';
import { createApp } from './app.js';
import { canto1 } from './canto1.js';
import { hostInIisnode } from './iisnode.js';
import { readSettings, SettingError, type Settings } from './settings.js';

/** How long readers may take to answer the close when the server shuts down, in milliseconds. */
const SHUTDOWN_MS = 3000;
/** Signals within so many milliseconds are one press of Ctrl+C, which npm passes on as well. */
const ONE_PRESS_MS = 500;

// Loading this file starts the server: iisnode requires it, so it is not the main module there.
try {
  start(readSettings(process.env));
} catch (error) {
  if (!(error instanceof SettingError)) throw error;
  fail(error.message);
}

function start(settings: Settings): void {
  const { server, close } = createApp(canto1, settings);
  if (process.env['IISNODE_VERSION']) hostInIisnode(server);

  server.on('error', (error) => {
    // Once it listens, an error is that of one connection that could not be accepted.
    if (server.listening) console.error(`A connection was refused: ${error.message}.`);
    else fail(`Cannot listen on ${explain(error, settings.listen)}.`);
  });
  server.listen(settings.listen, () => {
    console.log(`Dante reads at ${formatAddress(server.address(), settings.listen)}`);
  });

  let signalledAt: number | undefined;
  const shutDown = (): void => {
    signalledAt ??= performance.now();
    if (performance.now() - signalledAt > ONE_PRESS_MS) process.exit(1);
    close();
    setTimeout(() => process.exit(0), SHUTDOWN_MS).unref();
  };
  process.on('SIGINT', shutDown).on('SIGTERM', shutDown);
}

function fail(message: string): void {
  console.error(message);
  process.exitCode = 1;
}

/** What it cannot listen on, why, and what to do about it. */
function explain({ code, message }: NodeJS.ErrnoException, listen: Settings['listen']): string {
  const [place, inUse] = 'path' in listen
    ? [listen.path, 'it is there already; stop who listens on it or, if nobody does, delete it']
    : [`port ${listen.port}`, 'it is in use; stop the program that has it, or set PORT to another'];
  const noRight = 'there is no right to; set PORT to another, such as 8888, or get more rights';
  const remedy = { EADDRINUSE: inUse, EACCES: noRight }[code ?? ''];
  return `${place}: ${remedy ?? message}`;
}

function formatAddress(address: AddressInfo | string | null, listen: Settings['listen']): string {
  if (address === null || typeof address === 'string' || 'path' in listen) return String(address);
  const host = listen.host?.includes(':') ? `[${listen.host}]` : listen.host;
  return `http://${host ?? 'localhost'}:${address.port}/`;
}
