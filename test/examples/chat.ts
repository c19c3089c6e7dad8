import type { Reader, Stream } from './reader.js';

/** A chat: what one client sends, all clients get. It keeps its messages while it runs. */
export function createChat(): Stream {
  const messages: string[] = [];
  const flushes = new Set<() => void>();
  function begin(reader: Reader, from: number): void {
    // After a restart there are fewer messages than before.
    let next = Math.min(from, messages.length);
    const flush = (): void => {
      while (next < messages.length && reader.send(messages[next] ?? '')) next += 1;
    };
    flushes.add(flush);
    reader.on('drain', flush).on('close', () => flushes.delete(flush));
    reader.on('message', ({ data }) => {
      messages.push(`${data}`);
      for (const flush of flushes) flush();
    });
    flush();
  }
  return { total: Infinity, begin };
}
