import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import { Duplex } from 'node:stream';
import type { TestContext } from 'node:test';
import { createApp, type OnRequest } from '../../dist/app.js';
import { createMetronome } from '../../dist/metronome.js';
import type { Stream } from '../../dist/reader.js';
import { FakeClock } from './clock.js';

/** Lets a server listen on a free port of this machine, and resolves with the port. */
export async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port; // Only a path's address is a string.
}

/** Starts an app on a free port until the test ends. */
export async function startApp(t: TestContext, stream: Stream, onRequest?: OnRequest) {
  const allowedOrigins = new Set(['https://friend.example']);
  const app = createApp(stream, { allowedOrigins }, onRequest);
  t.after(() => app.close());
  return { ...app, port: await listen(app.server) };
}

/** A connection in memory, whose client can stop reading. */
class MemorySocket extends Duplex {
  received = '';
  isReading = true;
  #resume = (): void => {};
  #idle: NodeJS.Timeout | undefined;
  setTimeout(ms: number): void {
    clearTimeout(this.#idle);
    if (ms > 0) this.#idle = setTimeout(() => this.emit('timeout'), ms);
  }
  setNoDelay(): void {}
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.received += chunk.toString('latin1');
    if (this.isReading) done();
    else this.#resume = done;
  }

  readOn(): void {
    this.isReading = true;
    this.#resume();
  }

  /** Sends a frame with a mask of zeros (RFC 6455 section 5.2), `count` times in one chunk. */
  sendFrame(first: number, payload = '', count = 1): void {
    const { length } = payload;
    const head = length < 126 ? [0x80 | length] : [0xfe, length >> 8, length & 0xff];
    const frame = Buffer.from([first, ...head, 0, 0, 0, 0, ...Buffer.from(payload, 'latin1')]);
    this.push(Buffer.concat(Array<Buffer>(count).fill(frame)));
  }
}

/** Starts an app with an endless stream on a fake clock; its connections are in memory. */
export function startInMemory(t: TestContext, part: Partial<Stream> = {}, onRequest?: OnRequest) {
  const clock = new FakeClock(t);
  const stream = { total: Infinity, begin() {}, ...part };
  const { server, close } = createApp(stream, { allowedOrigins: new Set() }, onRequest);
  t.after(() => void close()); // Those who do not answer stay.
  const connect = (bytes: string): MemorySocket => {
    const socket = new MemorySocket();
    server.emit('connection', socket);
    socket.push(bytes, 'latin1');
    return socket;
  };
  return { clock, server, connect, close };
}

/** A stream of a few texts, one every `intervalMs` milliseconds. */
export function createStream(texts: readonly string[], intervalMs: number): Stream {
  const metronome = createMetronome(intervalMs);
  return {
    total: texts.length,
    begin(reader, next) {
      const send = (): void => {
        const text = texts[next];
        if (text !== undefined && reader.send(text)) next += 1;
        if (next >= texts.length) reader.close(1000);
      };
      reader.on('close', metronome.join(send));
      send();
    },
  };
}
