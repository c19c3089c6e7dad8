import './support/bounds.js';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Reader, Stream } from '../dist/reader.js';
import { startInMemory } from './support/app.js';
import { handshake } from './support/raw.js';
import { until } from './support/until.js';

const SIGN_OF_LIFE = '\x82\x00'; // An empty binary message.

/** Opens a reader in memory, whose stream is `begin`; `head` comes with the handshake. */
async function open(t: TestContext, begin: Stream['begin'] = () => {}, head = '') {
  let opened: Reader | undefined;
  const { clock, connect } = startInMemory(t, (one, ...rest) => begin((opened = one), ...rest));
  const socket = connect(handshake() + head);
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

test('a client that sends over 256 KiB without a complete message is disconnected', async (t) => {
  const { socket, reader } = await open(t, () => {}, '\x89\x80\0\0\0\0');
  const closed = once(reader, 'close');
  socket.sendFrame(0x89, '', 43_689); // A ping is 6 bytes: one a second for 12 hours.
  socket.push(Buffer.from([0x89, 0x80, 0, 0])); // The start of another one: 256 KiB.
  await turn();
  assert.equal(socket.destroyed, false);
  socket.push(Buffer.from([0]));
  const [{ code }] = await closed;
  assert.deepEqual([socket.destroyed, code], [true, 1006]);
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

test('a silence of 5 s ends with a sign of life', async (t) => {
  const { clock, socket, reader } = await open(t);
  clock.advance(4900);
  assert.equal(socket.received, '');
  clock.advance(4100); // After 9 s.
  reader.send('one');
  clock.advance(4900);
  assert.equal(socket.received, `${SIGN_OF_LIFE}\x81\x03one`);
  clock.advance(5100); // After 10 s.
  assert.equal(socket.received, `${SIGN_OF_LIFE}\x81\x03one${SIGN_OF_LIFE.repeat(2)}`);
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

test('a stream that fails ends one reader with 4000 and prints one line', async (t) => {
  const { mock } = t.mock.method(console, 'error', () => {});
  const { socket } = await open(t, () => Promise.reject(new Error('no\nfile')));
  await until(() => socket.received.startsWith('\x88\x13\x0f\xa0the stream failed'), 'the close');
  const [line] = mock.calls.flatMap((call) => call.arguments);
  assert.match(line, /^The stream failed for a reader: Error: no file at .*\.ts:\d+:\d+.*$/);
});
