import { createClient } from 'redis';
import type { Reader, Stream } from './reader.js';

/** A chat on several servers. Its messages are a list in Redis, so `from` is the same on each. */
export function createRedisChat(): Stream {
  const redis = createClient({ url: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379' });
  const subscriber = redis.duplicate();
  const messages: string[] = []; // What this server has read of the list.
  const flushes = new Set<() => void>();
  const report = (error: unknown): void => console.error(`Redis: ${error}`);
  let reading = Promise.resolve();
  // The list has grown, or may have while there was no connection.
  const update = (): void => void (reading = reading.then(read));
  for (const client of [redis, subscriber]) client.on('error', report).connect().catch(report);
  subscriber.on('ready', update).subscribe('chat', update).catch(report);

  async function read(): Promise<void> {
    const news = await redis.lRange('chat', messages.length, -1).catch(report);
    for (const message of news ?? []) messages.push(message);
    for (const flush of flushes) flush();
  }

  function begin(reader: Reader, from: number): void {
    let next = from;
    const flush = (): void => {
      while (next < messages.length && reader.send(messages[next] ?? '')) next += 1;
    };
    flushes.add(flush);
    reader.on('drain', flush).on('close', () => flushes.delete(flush));
    reader.on('message', ({ data }) => redis.multi().rPush('chat', `${data}`).publish('chat', '')
      .exec().catch(report));
    flush();
  }
  return { total: Infinity, begin };
}
