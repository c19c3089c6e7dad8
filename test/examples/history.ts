import { randomUUID } from 'node:crypto';
import type { Reader } from './reader.js';

/** The newest `max` messages, in memory, for all readers. Other examples use it. */
export function createHistory(max = 10_000) {
  const epoch = randomUUID(); // After a restart, pages start again.
  const messages: string[] = [];
  const flushes = new Set<() => void>();
  let end = 0; // How many were published.
  const earliest = (): number => end - messages.length;

  function publish(text: string): void {
    messages.push(text);
    end += 1;
    if (messages.length > max) messages.shift();
    for (const flush of flushes) flush();
  }

  function follow(reader: Reader, next: number): void {
    const flush = (): void => {
      if (next < earliest()) reader.close(4100, 'some messages are gone'); // The page comes back.
      while (next < end && reader.send(messages[next - earliest()] ?? '')) next += 1;
    };
    flushes.add(flush);
    reader.on('drain', flush).on('close', () => flushes.delete(flush));
    flush();
  }
  const begin = (reader: Reader, from: number): void => follow(reader, Math.min(from, end));
  const origin = () => ({ epoch, earliest: earliest() });
  return { publish, follow, end: () => end, stream: { total: Infinity, begin, origin } };
}
