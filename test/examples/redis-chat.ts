import { createClient } from 'redis';
import type { Reader, Stream } from './reader.js';
import { report } from './report.js';

/**
 * A chat on several servers: a list in Redis, so `from` means the same on each, and no epoch is
 * needed. Run `npm install redis@6`, which needs Node.js 20, set REDIS_URL, and let Redis keep the
 * list (`appendonly yes`). The list grows without end, in Redis and in each server.
 */
export function createRedisChat(): Stream {
  const url = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';
  const redis = createClient({ url, disableOfflineQueue: true, commandsQueueMaxLength: 999 });
  const subscriber = createClient({ url });
  const messages: string[] = []; // What this server has read of the list.
  const flushes = new Set<() => void>();
  const fail = (error: unknown): void => report('Redis', error);
  let reading = Promise.resolve();
  // The list has grown, or may have while there was no connection.
  const update = (): void => void (reading = reading.then(read));
  for (const client of [redis, subscriber]) client.on('error', fail).connect().catch(fail);
  redis.on('ready', update);
  subscriber.on('ready', update).subscribe('chat', update).catch(fail);

  async function read(): Promise<void> {
    const news = await redis.lRange('chat', messages.length, -1).catch(fail);
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
    reader.on('message', ({ data }) => {
      redis.multi().rPush('chat', `${data}`).publish('chat', '').exec().catch((error) => {
        fail(error);
        reader.close(4101, 'the message was not kept: Redis is away');
      });
    });
    flush();
  }
  const close = (): void => [redis, subscriber].forEach((client) => client.destroy());
  return { total: Infinity, begin, close };
}
