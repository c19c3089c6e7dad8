import { randomUUID } from 'node:crypto';
import type { Reader } from './reader.js';

/** The newest `max` messages, in memory, for all readers. chat.ts and board.ts use it. */
export function createHistory(max = 10_000) {
  const epoch = randomUUID(); // After a restart, pages start again.
  const messages: string[] = [];
  const waiting: string[] = [];
  const flushes = new Set<() => void>();
  let earliest = 0;

  /** Publishes a text, soon. Returns false if too many wait already. */
  function add(text: string): boolean {
    if (waiting.length >= 1000) return false;
    if (waiting.push(text) === 1) setImmediate(publish);
    return true;
  }

  /** One text in each turn of the event loop, so that other requests get in between. */
  function publish(): void {
    messages.push(waiting.shift() ?? '');
    if (messages.length > max) {
      messages.shift();
      earliest += 1;
    }
    for (const flush of flushes) flush();
    if (waiting.length > 0) setImmediate(publish);
  }

  function begin(reader: Reader, from: number): void {
    let next = Math.min(from, earliest + messages.length);
    const flush = (): void => {
      // The page comes back, and is told where it is.
      if (next < earliest) reader.close(4100, 'some messages are gone');
      while (next < earliest + messages.length && reader.send(messages[next - earliest] ?? '')) {
        next += 1;
      }
    };
    flushes.add(flush);
    reader.on('drain', flush).on('close', () => flushes.delete(flush));
    flush();
  }
  return { add, stream: { total: Infinity, begin, origin: () => ({ epoch, earliest }) } };
}
