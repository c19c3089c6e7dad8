import { once } from 'node:events';
import { createServer } from 'node:net';

let last = 11_000 + Math.floor(Math.random() * 19_000);

/**
 * A TCP port that may be given up and taken again: it is free, and below those that a system hands to
 * whoever asks for any (Linux from 32768 on, others from 49152), so that no other test gets it meanwhile.
 * Throws if a hundred in a row are taken.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = (last += 1);
    const server = createServer().listen(port);
    const free = await once(server, 'listening').then(() => true, () => false);
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error(`None of 100 ports up to ${last} is free.`);
}
