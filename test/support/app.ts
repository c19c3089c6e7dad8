import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import { createApp } from '../../dist/app.js';
import type { Stream } from '../../dist/reader.js';

/** Lets a server listen on a free port of this machine, and resolves with the port. */
export async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port; // Only a path's address is a string.
}

export async function startApp(stream: Stream) {
  const app = createApp(stream, { allowedOrigins: new Set(['https://friend.example']) });
  return { ...app, port: await listen(app.server) };
}

/** A stream of a few texts, one every `intervalMs` milliseconds. */
export function createStream(texts: readonly string[], intervalMs: number): Stream {
  return {
    maxFrom: texts.length,
    begin(reader, from) {
      let next = from;
      const send = (): void => {
        const text = texts[next];
        if (text === undefined) reader.close(1000);
        else if (reader.send(text)) next += 1;
      };
      const timer = setInterval(send, intervalMs);
      reader.on('close', () => clearInterval(timer));
      send();
    },
  };
}
