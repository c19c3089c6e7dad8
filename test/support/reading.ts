import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Options, Reading, Socket, State } from '../../public/reading.js';
import { ROOT } from './program.js';

export type { Options, State };

/** Loads public/reading.js as a browser does: as a module, whatever package.json says. */
export async function loadReading(): Promise<typeof Reading> {
  const copy = join(__dirname, 'reading.copy.mjs');
  copyFileSync(join(ROOT, 'public', 'reading.js'), copy);
  return (await import(pathToFileURL(copy).href)).Reading;
}

/** What a server sends when it has nothing else to send. */
export const SIGN_OF_LIFE = new Blob([]);

/** A connection without a network; `onClose` is called when the reading leaves it. */
export class FakeSocket implements Socket {
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent<unknown>) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  closed = false;

  constructor(readonly from: number, readonly onClose = () => {}) {}

  close(): void {
    this.closed = true;
    this.onClose();
  }

  /** Opens if it has not, then sends these messages. */
  send(...messages: (string | Blob)[]): void {
    this.onopen?.(new Event('open'));
    this.onopen = null;
    for (const data of messages) this.onmessage?.(new MessageEvent('message', { data }));
  }

  fail(code = 1006): void {
    this.onclose?.({ code } as CloseEvent); // Node has none before 23; only the code is read.
  }
}
