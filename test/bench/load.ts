/**
 * The load: a process of its own with raw sockets that only count, so that it does not blur what is
 * measured. It does as its messages say and answers each with a message.
 */
import { connect, type Socket } from 'node:net';

export type Order =
  | { kind: 'readers'; port: number; count: number; intervalMs: number; stanzas: number }
  | { kind: 'mark' }
  | { kind: 'end' }
  | { kind: 'page'; port: number; connections: number; ms: number };

/** How long things took, in milliseconds. */
export interface Spread {
  p50: number;
  p99: number;
  max: number;
}

/** How many handshakes may be under way at once. */
const AT_ONCE = 100;

const KEY = Buffer.alloc(16, 7).toString('base64');

interface Reader {
  socket: Socket;
  firstAt: number;
  told: number;
  rest: Buffer | undefined;
}

let frames = 0;
const firsts: number[] = [];
const lateness: number[] = [];
const lasts: number[] = [];
const readers: Reader[] = [];

function spread(values: number[]): Spread {
  const sorted = Float64Array.from(values).sort();
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** Opens one reader; calls back when it has heard its first stanza. */
function open(port: number, intervalMs: number, last: number, opened: () => void): void {
  const start = performance.now();
  const socket = connect({ port, host: '127.0.0.1' });
  const reader: Reader = { socket, firstAt: 0, told: 0, rest: undefined };
  readers.push(reader);
  let upgraded = false;
  socket.setNoDelay();
  socket.on('error', (error) => {
    throw error;
  });
  socket.write(
    `GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`,
  );
  socket.on('data', (chunk: Buffer) => {
    const now = performance.now();
    let bytes = reader.rest ? Buffer.concat([reader.rest, chunk]) : chunk;
    reader.rest = undefined;
    if (!upgraded) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) return void (reader.rest = bytes);
      upgraded = true;
      bytes = bytes.subarray(end + 4);
    }
    while (bytes.length > 0) {
      const short = (bytes[1] ?? 0) & 0x7f;
      const head = short === 126 ? 4 : 2;
      const length = short === 126 && bytes.length >= 4 ? bytes.readUInt16BE(2) : short;
      if (bytes.length < head || bytes.length < head + length) return void (reader.rest = bytes);
      if (bytes[0] === 0x88) return void socket.resetAndDestroy();
      bytes = bytes.subarray(head + length);
      reader.told += 1;
      frames += 1;
      if (reader.told === 1) {
        reader.firstAt = now;
        firsts.push(now - start);
        opened();
      } else {
        const late = now - reader.firstAt - (reader.told - 1) * intervalMs;
        lateness.push(late);
        if (reader.told === last) lasts.push(late);
      }
    }
  });
}

function openAll({ port, count, intervalMs, stanzas }: Order & { kind: 'readers' }): Promise<void> {
  return new Promise((resolve) => {
    let started = 0;
    let opened = 0;
    const next = (): void => {
      started += 1;
      open(port, intervalMs, stanzas, () => {
        opened += 1;
        if (opened === count) resolve();
        else if (started < count) next();
      });
    };
    for (let i = 0; i < Math.min(AT_ONCE, count); i += 1) next();
  });
}

/** Asks for the page over keep-alive connections, one request at a time on each. */
async function ask(port: number, connections: number, ms: number): Promise<Spread & { perSecond: number }> {
  const times: number[] = [];
  const end = performance.now() + ms;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1' }).on('error', reject);
      let start = 0;
      let missing = 0;
      const request = (): void => {
        start = performance.now();
        socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
      };
      socket.on('data', (chunk: Buffer) => {
        if (missing === 0) {
          const head = chunk.indexOf('\r\n\r\n') + 4;
          const length = /content-length: (\d+)/i.exec(chunk.toString('latin1', 0, head))?.[1];
          missing = head + Number(length);
        }
        missing -= chunk.length;
        if (missing > 0) return;
        const now = performance.now();
        times.push(now - start);
        if (now < end) return request();
        socket.destroy();
        resolve();
      });
      request();
    });
  const start = performance.now();
  await Promise.all(Array.from({ length: connections }, one));
  return { ...spread(times), perSecond: (times.length * 1000) / (performance.now() - start) };
}

process.on('disconnect', () => process.exit());
process.on('message', async (order: Order) => {
  if (order.kind === 'readers') {
    await openAll(order);
    process.send?.({ first: spread(firsts) });
  } else if (order.kind === 'mark') {
    lateness.length = 0;
    process.send?.({ frames });
  } else if (order.kind === 'page') {
    process.send?.(await ask(order.port, order.connections, order.ms));
  } else {
    const measured = { frames, lateness: spread(lateness), last: spread(lasts), done: lasts.length };
    if (measured.done === readers.length) for (const { socket } of readers) socket.destroy();
    process.send?.(measured);
  }
});
