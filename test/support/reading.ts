import { readFileSync } from 'node:fs';
import type { Options, Reading, Socket, State } from '../../public/reading.js';
import { ROOT } from './program.js';

export type { Options, State };

/** Loads public/reading.js as a browser does: as a module, whatever package.json says. */
export async function loadReading(): Promise<typeof Reading> {
  const source = readFileSync(`${ROOT}/public/reading.js`, 'utf8');
  return (await import(`data:text/javascript,${encodeURIComponent(source)}`)).Reading;
}

/** A connection without a network; `onClose` is called when the reading leaves it. */
export class FakeSocket implements Socket {
  onopen: Socket['onopen'] = null;
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;
  closed = false;

  constructor(readonly from: number, readonly onClose = () => {}) {}

  close(): void {
    this.closed = true;
    this.onClose();
  }

  /** Opens if it has not, then sends these messages. */
  send(...messages: string[]): void {
    this.onopen?.(new Event('open'));
    this.onopen = null;
    for (const data of messages) this.onmessage?.(new MessageEvent('message', { data }));
  }

  fail(code = 1006): void {
    this.onclose?.({ code } as CloseEvent); // Node has none before 23; only the code is read.
  }
}
