import './support/bounds.js';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Reader, Stream } from '../dist/reader.js';
import { startApp, startInMemory } from './support/app.js';
import { connectTo, handshake, until } from './support/client.js';

const SIGN_OF_LIFE = '\x82\x00'; // An empty binary message.

/** Opens a reader in memory, whose stream is `begin`. */
async function open(t: TestContext, begin: Stream['begin'] = () => {}) {
  let opened: Reader | undefined;
  const { clock, connect } = startInMemory(t, {
    begin: (reader, ...rest) => begin((opened = reader), ...rest),
  });
  const socket = connect(handshake());
  const reader = await until(() => opened, 'the stream to begin');
  socket.received = socket.received.replace(/^HTTP[^]*?\r\n\r\n/, '');
  return { clock, socket, reader };
}

test('a message of 1 KiB is read, and a longer one closes with 1009', async (t) => {
  const { socket, reader } = await open(t);
  const seen: unknown[] = [];
  reader.on('message', ({ data }) => seen.push(data)).on('close', ({ code }) => seen.push(code));
  for (const bytes of [1024, 1025]) socket.sendFrame(0x81, 'x'.repeat(bytes));
  await until(() => seen.length === 2, 'both events');
  assert.deepEqual(seen, ['x'.repeat(1024), 1009]);
});

test('more than 500 messages in a second close with 4008, and pings never do', async (t) => {
  const { clock, socket, reader } = await open(t);
  let messages = 0;
  reader.on('message', () => (messages += 1));
  const send = async (first: number, count: number): Promise<void> => {
    socket.sendFrame(first, '', count);
    await turn();
  };
  for (const count of [300, 50, 50, 50, 500]) { // The last ones after a stall.
    await send(0x81, count);
    await send(0x89, 500);
    clock.advance(10_000);
  }
  assert.deepEqual([messages, reader.readyState], [950, 1]);
  socket.received = '';
  await send(0x82, 501);
  assert.equal(socket.received, '\x88\x1f\x0f\xa8too many messages in a second');
});

test('at most 20 KB a second are read, and nothing while the client does not read', async (t) => {
  const { clock, socket, reader } = await open(t);
  let bytes = 0;
  for (let second = 0; second < 60; second += 1) {
    if (socket.readableLength === 0) {
      socket.sendFrame(0x8a, '', 10_922); // 64 KiB of pongs, which nobody answers.
      bytes += 6 * 10_922;
      await turn();
    }
    socket.isReading = false;
    reader.send('x'.repeat(100_000));
    const { readableLength } = socket;
    clock.advance(1000);
    await turn();
    assert.equal(socket.readableLength, readableLength);
    socket.readOn();
    await turn();
  }
  assert.ok(bytes > 990_000 && bytes < 1_080_000, `${bytes} bytes`);
  const closed = once(reader, 'close');
  socket.sendFrame(0x8a, '', 10_922);
  reader.close(4100);
  socket.sendFrame(0x88, '\x10\x04');
  clock.advance(8000); // Its time has come.
  await closed;
});

test('drained() waits until send() would send, or until the reader is closing', async (t) => {
  const { socket, reader } = await open(t);
  assert.equal(await reader.drained(), true);
  const fill = (): void => {
    socket.isReading = false;
    reader.send('x'.repeat(100_000));
  };
  fill();
  assert.equal(reader.send('z'), false);
  const seen: unknown[] = [];
  const wait = async (): Promise<void> => void seen.push(await reader.drained(), reader.send('y'));
  for (let i = 0; i < 20; i += 1) void wait();
  assert.ok(reader.listenerCount('drain') <= 2); // Node.js warns of more than ten.
  reader.once('drain', fill); // Somebody is quicker.
  socket.readOn();
  await turn();
  assert.deepEqual(seen, []);
  socket.readOn();
  await turn();
  assert.deepEqual(seen, Array(40).fill(true));
  assert.equal(socket.received.match(/\x81\x01y/g)?.length, 20);
  for (const end of [() => reader.close(4000), () => socket.destroy()]) {
    fill();
    const drained = reader.drained();
    end();
    const outcomes = [await drained, await reader.drained(), reader.send('z')];
    assert.deepEqual(outcomes, [false, false, false]);
  }
  assert.doesNotMatch(socket.received, /z/);
});

test('5 s of silence end with a sign of life, 10 minutes without drain the socket', async (t) => {
  const { clock, socket, reader } = await open(t);
  clock.advance(4900);
  assert.equal(socket.received, '');
  clock.advance(4100); // After 9 s.
  reader.send('one');
  clock.advance(4900);
  assert.equal(socket.received, `${SIGN_OF_LIFE}\x81\x03one`);
  clock.advance(5100); // After 10 s.
  assert.equal(socket.received, `${SIGN_OF_LIFE}\x81\x03one${SIGN_OF_LIFE.repeat(2)}`);
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

for (const [what, begin] of [
  ['fails', () => Promise.reject(new Error('no\nfile'))],
  ['throws in a listener',
    (reader) => void reader.on('message', () => { throw new Error('no\nfile'); })],
] as [string, Stream['begin']][]) {
  test(`a stream that ${what} ends one reader with 4000 and prints one line`, async (t) => {
    const { mock } = t.mock.method(console, 'error', () => {});
    const { clock, socket } = await open(t, begin);
    clock.advance(3_600_000); // An hour after the last such line.
    socket.sendFrame(0x81, 'x');
    await until(() => socket.received.endsWith('\x88\x13\x0f\xa0the stream failed'), 'the close');
    const [line] = mock.calls.flatMap((call) => call.arguments);
    assert.match(line, /^The stream failed for a reader: 'Error: no file at .*\.ts:\d+:\d+.*'$/);
  });
}

test('a reader at rest keeps nothing of what its client has sent', async (t) => {
  const { port } = await startApp(t, { total: Infinity, begin() {} });
  setFlagsFromString('--expose-gc');
  const gc: () => void = runInNewContext('gc');
  const read = (): number => {
    for (let i = 0; i < 3; i += 1) gc();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  /** How many bytes each of 100 connections costs on both sides. */
  async function measure(bytes: string): Promise<number> {
    const before = read();
    const sockets = Array.from({ length: 100 }, () => connectTo(port));
    for (const socket of sockets) socket.write(bytes, 'latin1');
    await Promise.all(sockets.map((socket) => once(socket, 'data')));
    await sleep(100);
    const cost = (read() - before) / 100;
    for (const socket of sockets) socket.destroy();
    await sleep(100);
    return cost;
  }
  await measure(handshake()); // The first ones leave code and pools behind.
  const startBytes = read();
  const least = await measure(handshake());
  const frame = '\x80\0\0\0\0';
  const long = 'x'.repeat(5000);
  for (const bytes of [
    handshake(`/ws?${long}`, { Host: long, Cookie: long }),
    `${handshake()}\x01${frame}${`\0${frame}`.repeat(2500)}`,
  ]) {
    const more = await measure(bytes) - least;
    assert.ok(more < 8000, `${bytes.slice(0, 99)}: ${more} bytes more each`);
  }
  const left = (read() - startBytes) / 300;
  assert.ok(left < 3000, `${left} bytes of each are left`);
});
