import './support/bounds.js';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
import { SCRIPT } from '../dist/app.js';
import { createStream, startApp, startInMemory } from './support/app.js';
import { connectTo, handshake, parseResponse } from './support/raw.js';
import { createRandom, SEED } from './support/random.js';
import { until } from './support/until.js';

const HTML = /^<!doctype html>[^]*<\/html>\n$/i;
const END = '0\r\n\r\n';
const [LENGTH, CHUNKED] = ['Content-Length: 3\r\n', 'Transfer-Encoding: chunked\r\n'];
const plain = (target: string, lines = '', method = 'GET'): string =>
  `${method} ${target} HTTP/1.1\r\nHost: dante.example\r\n${lines}\r\n`;
const H2C = { Upgrade: 'h2c', Connection: 'Upgrade, HTTP2-Settings', 'HTTP2-Settings': 'AAMA' };

/** A request, its response, and whether that is the last one on its connection. */
type Row = { bytes: string; status: number; body?: RegExp; ends?: boolean };
const ROWS: Row[] = [
  { bytes: plain('/'), status: 200, body: HTML },
  { bytes: plain(`/a/${SCRIPT}/style.css`), status: 200, body: /{/ },
  { bytes: plain('/client.js', 'If-None-Match: *\r\n'), status: 304 },
  { bytes: plain('/reading.js', '', 'HEAD'), status: 200 },
  { bytes: plain('/missing', 'Content-Length: 0\r\n'), status: 404, body: /^Not found/ },
  { bytes: plain('/', '', 'DELETE'), status: 405, body: /^Only GET/ },
  { bytes: handshake('/ws', { Connection: undefined }), status: 426, ends: true },
  { bytes: plain('/client.js', 'Expect: nothing\r\n'), status: 200 },
  { bytes: plain('/ws'), status: 426, body: /^A WebSocket needs/, ends: true },
  { bytes: plain('/style.css', 'Connection: close\r\n'), status: 200, body: /{/, ends: true },
  { bytes: plain('/', LENGTH, 'POST') + 'abc', status: 405, body: /^Only GET/, ends: true },
  { bytes: plain('/', CHUNKED) + `3\r\nabc\r\n${END}`, status: 200, body: HTML, ends: true },
  { bytes: plain('dante.example:80', '', 'CONNECT'), status: 405, body: /^Only GET/, ends: true },
  { bytes: handshake('/', H2C), status: 200, body: HTML, ends: true },
  { bytes: handshake('/style.css', H2C, { method: 'HEAD' }), status: 200, ends: true },
  { bytes: handshake('/', { ...H2C, 'If-None-Match': '*' }), status: 304, ends: true },
  { bytes: handshake('/', H2C, { method: 'PUT' }), status: 405, body: /^Only GET/, ends: true },
  { bytes: handshake('/no'), status: 404, body: /^Not found/, ends: true },
  { bytes: handshake('/ws?from=4'), status: 400, body: /^from is.* to 3\.$/m, ends: true },
  { bytes: handshake('/ws', { 'Content-Length': '3' }) + 'abc', status: 426, ends: true },
  { bytes: handshake('/ws', {}, { version: '1.0' }), status: 426, body: /HTTP\/1\.0/, ends: true },
  { bytes: handshake('/', {}, { version: '1.0' }), status: 200, body: HTML, ends: true },
  { bytes: handshake('/', { Upgrade: 'websocket2' }), status: 200, body: HTML, ends: true },
  { bytes: handshake('/', { 'Transfer-Encoding': 'chunked' }) + END, status: 200, ends: true },
  { bytes: handshake('/ws'), status: 101, ends: true },
  { bytes: handshake(`/${SCRIPT}/ws?from=0`), status: 101, ends: true },
];

test(`random pipelines get their responses in order; SEED=${SEED}`, async () => {
  const { server, port, close } = await startApp(createStream(['one', 'two', 'six'], 5));

  /** Opens a connection, sends a random pipeline, and compares what comes back. */
  async function play(seed: number): Promise<void> {
    const random = createRandom(seed);
    const below = (limit: number): number => Math.floor(random() * limit);
    const rows: Row[] = [];
    for (let more = 1 + below(4); more > 0; more -= 1) {
      const row = ROWS[below(ROWS.length)] ?? assert.fail();
      rows.push(row);
      // After a handshake come frames, and after `Connection: close` nothing.
      if (row.status === 101 || row.bytes.includes(': close')) break;
    }
    const bytes = Buffer.from(rows.map((row) => row.bytes).join(''));
    const cut = below(bytes.length);
    const ending = ['wait', 'half-close', 'reset'][below(3)];
    const last = rows.findIndex(({ ends }) => ends);
    const expected = last < 0 ? rows : rows.slice(0, last + 1);

    const socket = connectTo(port);
    let received = Buffer.alloc(0);
    socket.on('error', () => {}); // A reset may come back.
    socket.on('data', (chunk) => (received = Buffer.concat([received, chunk])));
    const closed = once(socket, 'close');
    await once(socket, 'connect');
    socket.write(bytes.subarray(0, cut));
    await tick();
    socket.write(bytes.subarray(cut));
    await tick();
    if (ending === 'half-close') socket.end();
    if (ending === 'reset') socket.resetAndDestroy();
    // The server keeps a connection without a last request open, and waits for a client's close.
    if (ending === 'wait') {
      await until(() => check() === expected.length || socket.destroyed, 'all responses');
      socket.destroy();
    }
    await closed;
    const count = check();
    const isWhole = ending === 'half-close' ? expected.at(-1)?.status !== 101 : ending === 'wait';
    if (isWhole) assert.equal(count, expected.length, `${ending} ${cut}: ${bytes}\n\n${received}`);

    /** Compares all complete responses with the expected ones, and returns how many there are. */
    function check(): number {
      let rest: Buffer = received;
      for (const [i, { bytes: sent, status, body, ends }] of expected.entries()) {
        const response = parseResponse(rest, sent.split(' ')[0]);
        if (!response) return i;
        assert.equal(response.status, status, sent);
        assert.match(response.body, body ?? /^/, sent);
        if (status === 405) assert.equal(response.headers['allow'], 'GET, HEAD');
        if (status !== 101 && ends) assert.match(response.headers['connection'] ?? '', /close$/);
        rest = response.rest;
        if (status === 101) {
          const stream = '\x81\x03one\x81\x03two\x81\x03six\x88\x02\x03\xe8';
          assert.ok(stream.startsWith(rest.toString('latin1')), rest.toString('latin1'));
          return rest.length === stream.length ? i + 1 : i;
        }
      }
      assert.equal(rest.length, 0, `unexpected: ${rest}`);
      return expected.length;
    }
  }

  for (let done = 0; done < 500; done += 25) {
    await Promise.all(Array.from({ length: 25 }, (_, i) => play(SEED + done + i)));
  }
  const closed = once(server, 'close'); // After all connections.
  close();
  await closed;
});

test('an upgrade without its body waits for the responses before it', async (t) => {
  const socket = startInMemory(t).connect('');
  socket.isReading = false;
  socket.push(plain('/style.css') + handshake('/ws', { 'Content-Length': '3' }));
  await until(() => socket.received.includes(' 200 '), 'the first response');
  assert.doesNotMatch(socket.received, / 426 /);
  socket.readOn();
  await until(() => / 200 .* 426 .*version 13\.\n$/s.test(socket.received), 'the refusal');
});
