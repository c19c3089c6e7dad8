import { createClient } from 'redis';
import { createHistory } from './history.js';
import type { Reader, Stream } from './reader.js';
import { report } from './report.js';

/**
 * A chat on several servers: a list in Redis, so `from` means the same on each, without an epoch.
 * It grows without end, in Redis (set `appendonly yes`) and in each server. It needs history.ts,
 * `npm install redis@6`, Node.js 20, and REDIS_URL.
 */
export function createRedisChat(): Stream {
  const url = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';
  const redis = createClient({ url, disableOfflineQueue: true, commandsQueueMaxLength: 999 });
  const subscriber = createClient({ url });
  const { publish, follow, end } = createHistory(Infinity); // What was read of the list.
  const fail = (error: unknown): void => report('Redis', error);
  let reading = Promise.resolve();
  const update = (): void => void (reading = reading.then(read)); // The list may have grown.
  for (const client of [redis, subscriber]) client.on('error', fail).connect().catch(fail);
  redis.on('ready', update);
  subscriber.on('ready', update).subscribe('chat', update).catch(fail);

  async function read(): Promise<void> {
    const news = await redis.lRange('chat', end(), -1).catch(fail) ?? [];
    for (const message of news) publish(message);
  }

  function begin(reader: Reader, from: number): void {
    reader.on('message', ({ data }) => {
      redis.multi().rPush('chat', `${data}`).publish('chat', '').exec().catch((error) => {
        fail(error);
        reader.close(4101, 'the message was not kept: Redis is away');
      });
    });
    follow(reader, from);
  }
  const close = (): void => [redis, subscriber].forEach((client) => client.destroy());
  return { total: Infinity, begin, close };
}
