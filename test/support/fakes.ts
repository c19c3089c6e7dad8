import { EventEmitter } from 'node:events';
import type { Reader } from '../../dist/reader.js';
import type { FakeClock } from './clock.js';

/** A reader that remembers what was sent to it and when, and whose buffer can be full. */
export class FakeReader extends EventEmitter {
  readonly sent: [atMs: number, text: string][] = [];
  readonly closes: (number | undefined)[] = [];
  full = false;
  readonly #startMs: number;

  constructor(readonly clock: FakeClock) {
    super();
    this.#startMs = clock.nowMs;
  }

  send(text: string): boolean {
    if (!this.full) this.sent.push([this.clock.nowMs - this.#startMs, text]);
    return !this.full;
  }

  close(code?: number): void {
    this.closes.push(code);
    this.emit('close');
  }

  /** This as the class that recital.ts takes, of which it uses these members alone. */
  asReader(): Reader {
    return this as unknown as Reader;
  }
}
