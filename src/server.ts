// First of all, so that every stack trace names the line of the .ts file.
process.setSourceMapsEnabled(true);

import type { AddressInfo } from 'node:net';
import { createApp } from './app.js';
import { canto1 } from './canto1.js';
import { readSettings, type Settings } from './settings.js';

/** How long readers may take to answer the close when the server shuts down, in milliseconds. */
const SHUTDOWN_MS = 3000;

// Loading this file starts the server: iisnode requires it, so it is not the main module there.
try {
  start(readSettings(process.env));
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}

function start(settings: Settings): void {
  const { server, closeReaders } = createApp({ stanzas: canto1, ...settings });

  const failToListen = (error: NodeJS.ErrnoException): void => fail(explain(error, settings.listen));
  server.once('error', failToListen);
  server.listen(settings.listen, () => {
    server.off('error', failToListen);
    // From now on an error is that of one connection that could not be accepted.
    server.on('error', (error) => console.error(`A connection was refused: ${error.message}.`));
    console.log(`Dante reads at ${whereabouts(server.address(), settings.listen)}`);
  });

  let shuttingDown = false;
  const shutDown = (): void => {
    if (shuttingDown) process.exit(1);
    shuttingDown = true;
    server.close();
    closeReaders();
    setTimeout(() => process.exit(0), SHUTDOWN_MS).unref();
  };
  process.on('SIGINT', shutDown);
  process.on('SIGTERM', shutDown);
}

function fail(message: string): void {
  console.error(message);
  process.exitCode = 1;
}

function explain(error: NodeJS.ErrnoException, listen: Settings['listen']): string {
  const place = 'path' in listen ? listen.path : `port ${listen.port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return `Cannot listen on ${place}, it is in use: stop the program that has it, or set PORT to another.`;
    case 'EACCES':
      return `Cannot listen on ${place}, there is no right to: set PORT to another, such as 8888, or run with more rights.`;
    default:
      return `Cannot listen on ${place}: ${error.message}.`;
  }
}

function whereabouts(address: AddressInfo | string | null, listen: Settings['listen']): string {
  if (address === null || typeof address === 'string' || 'path' in listen) return String(address);
  const host = listen.host?.includes(':') ? `[${listen.host}]` : listen.host;
  return `http://${host ?? 'localhost'}:${address.port}/`;
}
