process.setSourceMapsEnabled(true); // First, so that all stack traces name lines of .ts files.

import type { AddressInfo } from 'node:net';
import { createApp } from './app.js';
import { canto1 } from './canto1.js';
import { hostInIisnode } from './iisnode.js';
import { readSettings, SettingError, type Settings } from './settings.js';

const SHUTDOWN_MS = 3000; // How long readers may take to answer the close frame.
const ONE_PRESS_MS = 500; // npm forwards Ctrl+C, too: signals within this time count as one.
// Loading this file starts the server: under iisnode it is not the main module.
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
    // Once it listens, only a single connection has failed.
    if (server.listening) console.error(`A connection was not accepted: ${error.message}.`);
    else fail(explain(error, listen));
  });
  server.listen(listen, () => {
    if ('path' in listen) return console.log(`Listening on ${listen.path}`);
    const host = listen.host?.includes(':') ? `[${listen.host}]` : (listen.host ?? 'localhost');
    const { port } = server.address() as AddressInfo; // A string for a path only.
    console.log(`Listening on http://${host}:${port}/`);
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

/** Why it cannot listen, and the remedy. */
function explain({ code, message }: NodeJS.ErrnoException, listen: Settings['listen']): string {
  const [place, inUse] = 'path' in listen
    ? [listen.path, 'it exists. Stop the program that uses it, or delete a socket file left over']
    : [`port ${listen.port}`, 'it is in use. Stop the program that uses it, or set another PORT'];
  const denied = 'permission denied, or no such folder. Set another PORT, such as 8888';
  const host = 'host' in listen ? '; HOST must be an address or name of this machine' : '';
  const remedies: Record<string, string> = { EADDRINUSE: inUse, EACCES: denied };
  return `Cannot listen on ${place}: ${remedies[`${code}`] ?? message + host}.`;
}
