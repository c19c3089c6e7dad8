import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import { createApp } from '../../dist/app.js';
import { createMetronome } from '../../dist/metronome.js';
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
  const metronome = createMetronome(intervalMs);
  return {
    maxFrom: texts.length,
    begin(reader, from) {
      let next = from;
      const leave = metronome.join(send);
      reader.on('close', leave);
      send();

      function send(): void {
        const text = texts[next];
        if (text !== undefined && reader.send(text)) next += 1;
        if (next < texts.length) return;
        leave();
        reader.close(1000);
      }
    },
  };
}
