import './support/bounds.js';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createApp } from '../dist/app.js';
import type { Reader } from '../dist/reader.js';
import { FakeClock } from './support/clock.js';
import { handshake } from './support/raw.js';
import { until } from './support/until.js';

const SIGN_OF_LIFE = '\x82\x00'; // An empty binary message.
const PING = 0x89;

/** A connection in memory, whose client can stop reading. */
class MemorySocket extends Duplex {
  received = '';
  isReading = true;
  #resume = (): void => {};
  setTimeout(): void {}
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

/** Connects to an app on a fake clock; `begin` is its stream. */
async function open(t: TestContext, begin: (reader: Reader) => unknown = () => {}) {
  const clock = new FakeClock(t);
  let reader: Reader | undefined;
  const stream = {
    maxFrom: Infinity,
    begin: (one: Reader) => begin((reader = one)),
  };
  const { server, close } = createApp(stream, { allowedOrigins: new Set() });
  const socket = new MemorySocket();
  server.emit('connection', socket);
  socket.push(handshake());
  await until(() => reader, 'the stream to begin');
  socket.received = socket.received.replace(/^HTTP[^]*?\r\n\r\n/, '');
  t.after(close);
  return { clock, socket, reader: reader ?? assert.fail() };
}

for (const [what, first, payload, code] of [
  ['a message of 1 KiB is read', 0x81, 'x'.repeat(1024), undefined],
  ['a message over 1 KiB closes with 1009', 0x81, 'x'.repeat(1025), 1009],
  ['a frame with a wrong opcode closes with 1002', 0x83, '', 1002],
] as const) {
  test(what, async (t) => {
    const { socket, reader } = await open(t);
    let seen: number | string | Buffer | undefined;
    reader.on('message', ({ data }) => (seen = data)).on('close', (event) => (seen = event.code));
    socket.sendFrame(first, payload);
    await until(() => seen, 'an event');
    assert.equal(seen, code ?? payload);
  });
}

test('a client that sends over 256 KiB without a complete message is disconnected', async (t) => {
  const { socket, reader } = await open(t);
  const closed = once(reader, 'close');
  socket.sendFrame(0x01, '123456789'); // 15 bytes, and a first fragment.
  socket.sendFrame(0x00, '', 43_688);
  socket.push(Buffer.from([0x00])); // The start of the next one: 256 KiB.
  await turn();
  assert.equal(socket.destroyed, false);
  socket.push(Buffer.from([0x80]));
  const [{ code }] = await closed;
  assert.deepEqual([socket.destroyed, code], [true, 1006]);
});

test('pings count, but one a second for 10 hours is no reason to disconnect', async (t) => {
  const { socket } = await open(t);
  for (let hour = 1; hour <= 10; hour += 1) socket.sendFrame(PING, '', 3600);
  await turn();
  assert.equal(socket.destroyed, false);
  for (let hour = 1; hour <= 3; hour += 1) socket.sendFrame(PING, '', 3600);
  await turn();
  assert.equal(socket.destroyed, true);
});

test('a client may complete any number of messages, also while it does not read', async (t) => {
  const { socket, reader } = await open(t);
  let messages = 0;
  reader.on('message', () => (messages += 1));
  socket.isReading = false;
  while (reader.send('x'.repeat(1000)));
  for (let i = 1; i <= 50; i += 1) socket.sendFrame(0x81, 'sixteen bytes', 1000);
  await turn();
  socket.readOn();
  await until(() => messages === 50_000, 'the messages');
  assert.equal(socket.destroyed, false);
});

test('send() returns false, and sends nothing, until drain or on a closing reader', async (t) => {
  const { socket, reader } = await open(t);
  socket.isReading = false;
  assert.deepEqual([reader.send('x'.repeat(100_000)), reader.send('two')], [true, false]);
  const drained = once(reader, 'drain');
  socket.readOn();
  await drained;
  assert.equal(reader.send('three'), true);
  reader.close(1000);
  assert.equal(reader.send('four'), false);
  const closed = once(reader, 'close');
  socket.sendFrame(0x88, '\x03\xe8');
  await closed;
  assert.equal(reader.send('five'), false);
  assert.match(socket.received, /x\x81\x05three\x88\x02\x03\xe8$/);
});

test('a silence of 5 s ends with a sign of life, until the connection closes', async (t) => {
  const { clock, socket, reader } = await open(t);
  const expectAfter = (ms: number, received: string): void => {
    clock.advance(ms);
    assert.equal(socket.received, received);
  };
  expectAfter(4900, '');
  expectAfter(100, SIGN_OF_LIFE);
  clock.advance(4000);
  reader.send('one');
  expectAfter(4000, `${SIGN_OF_LIFE}\x81\x03one`);
  expectAfter(6000, `${SIGN_OF_LIFE}\x81\x03one${SIGN_OF_LIFE.repeat(2)}`);
  socket.push(null);
  await once(reader, 'close');
  expectAfter(10_000, `${SIGN_OF_LIFE}\x81\x03one${SIGN_OF_LIFE.repeat(2)}`);
});

test('a reader is disconnected if it does not drain for 10 minutes', async (t) => {
  const { clock, socket, reader } = await open(t);
  for (const isSlow of [true, false]) {
    socket.isReading = false;
    reader.send('x'.repeat(100_000));
    clock.advance(599_000);
    assert.equal(socket.destroyed, false);
    if (isSlow) socket.readOn();
    await turn();
    clock.advance(1000);
  }
  assert.equal(socket.destroyed, true);
});

for (const [how, begin] of [
  ['throws', () => { throw new Error('no\nfile'); }],
  ['rejects', () => Promise.reject(new Error('no\nfile'))],
] as const) {
  test(`a stream that ${how} ends one reader with 4000 and prints one line`, async (t) => {
    const { mock } = t.mock.method(console, 'error', () => {});
    const { socket } = await open(t, begin);
    await until(() => socket.received.startsWith('\x88\x13\x0f\xa0the stream failed'), 'the close');
    const [line] = mock.calls.flatMap((call) => call.arguments);
    assert.match(line, /^The stream failed for a reader: Error: no file at .*\.ts:\d+:\d+/);
    assert.doesNotMatch(line, /\n/);
  });
}
