import './support/bounds.js';
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Reader } from '../dist/reader.js';
import { until } from './support/until.js';

/** A socket in memory, which can stop taking what is written to it. */
class FakeSocket extends Duplex {
  bytesRead = 6; // A pong, which comes with the handshake.
  written = '';
  stalled: (() => void) | undefined;
  isStalling = false;
  setTimeout(): void {}
  setNoDelay(): void {}
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written += chunk.toString('latin1');
    if (this.isStalling) this.stalled = done;
    else done();
  }

  /** Sends a frame with a mask of zeros (RFC 6455 section 5.2), `count` times in one chunk. */
  sendFrame(first: number, payload = '', count = 1): void {
    const { length } = payload;
    const head = length < 126 ? [0x80 | length] : [0xfe, length >> 8, length & 0xff];
    const frame = Buffer.from([first, ...head, 0, 0, 0, 0, ...Buffer.from(payload)]);
    this.bytesRead += count * frame.length;
    this.push(Buffer.concat(Array<Buffer>(count).fill(frame)));
  }
}

async function open() {
  const socket = new FakeSocket();
  const headers = {
    connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  // Of both classes, the members that Reader and the library use.
  const request = { method: 'GET', url: '/ws', headers } as IncomingMessage;
  const pong = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);
  const reader = new Reader(request, socket as unknown as Socket, pong);
  const messages: string[] = [];
  const closes: number[] = [];
  reader.on('message', ({ data }) => messages.push(String(data)));
  reader.on('close', ({ code }) => closes.push(code));
  await new Promise<void>((resolve) => reader.on('open', resolve));
  socket.written = '';
  return { reader, socket, messages, closes };
}

test('an unmasked frame closes with 1003', async () => {
  const { socket, closes } = await open();
  socket.push(Buffer.from([0x81, 1, 0x61]));
  await until(() => closes.length > 0, 'the close');
  assert.deepEqual(closes, [1003]);
  assert.match(socket.written, /^\x88.\x03\xeb/s);
});

test('a client that sends over 64 KiB without a complete message is disconnected', async () => {
  const { socket, closes } = await open();
  socket.sendFrame(0x01, 'four'); // The first of many fragments.
  socket.sendFrame(0x00, '', 10_920);
  await turn();
  assert.equal(socket.destroyed, false); // 65,536 bytes.
  socket.sendFrame(0x00);
  await until(() => closes.length > 0, 'the close');
  assert.deepEqual([socket.destroyed, closes], [true, [1006]]);
});

test('a client that completes its messages may send any amount', async () => {
  const { socket, messages } = await open();
  for (let i = 1; i <= 5; i += 1) {
    socket.sendFrame(0x81, 'x'.repeat(1000), 100);
    await until(() => messages.length === i * 100, 'the messages');
  }
  assert.equal(socket.destroyed, false);
});

test('nothing is sent while the buffer is full', async () => {
  const { reader, socket } = await open();
  socket.isStalling = true;
  assert.equal(reader.send('x'.repeat(100_000)), true);
  assert.deepEqual([reader.send('two'), reader.send('')], [false, false]);
  await until(() => socket.stalled, 'the write');
  socket.isStalling = false;
  socket.stalled?.();
  await until(() => reader.send('three'), 'drain');
  await until(() => socket.written.endsWith('\x81\x05three'), 'the message');
  assert.doesNotMatch(socket.written, /two/);
});

test('an empty message ends every 5 s of silence, until the connection closes', async () => {
  const { reader, socket, closes } = await open();
  const tick = (seconds: number): string => {
    for (let i = 0; i < seconds; i += 1) assert.equal(reader.tick(), true);
    return socket.written;
  };
  reader.send('one');
  assert.equal(tick(4), '\x81\x03one');
  reader.send('two');
  assert.equal(tick(4), '\x81\x03one\x81\x03two');
  assert.equal(tick(10), '\x81\x03one\x81\x03two\x81\x00\x81\x00');
  socket.push(null);
  await until(() => closes.length > 0, 'the close');
  assert.equal(reader.tick(), false);
});
