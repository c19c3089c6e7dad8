import './support/bounds.js';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
import { createStream, startApp } from './support/app.js';
import { collect, handshake, parseResponse, request } from './support/raw.js';
import { createRandom, SEED } from './support/random.js';

const HTML = /^<!doctype html>[^]*<\/html>\n$/i;
const MESSAGES = '\x81\x03one\x81\x03two\x81\x03six';
const END = '\x88\x02\x03\xe8'; // Close code 1000.
const LENGTH = { 'Content-Length': '3' };
const CHUNKED = { 'Transfer-Encoding': 'chunked' };
const H2C = { Upgrade: 'h2c', Connection: 'Upgrade, HTTP2-Settings', 'HTTP2-Settings': 'AAMA' };
/** A request on a connection that stays open, unless a header says that it does not. */
const plain = (target: string, headers = {}, method = 'GET'): string =>
  request(target, { Connection: undefined, ...headers }, { method });

/** A request, and its response. */
type Row = [bytes: string, status: number, body: RegExp];
const ROWS: Row[] = [
  [plain('/'), 200, HTML],
  [plain('/client.js', { 'If-None-Match': '*' }), 304, /^$/],
  [plain('/reading.js', {}, 'HEAD'), 200, /^$/],
  [plain('/missing', { 'Content-Length': '0' }), 404, /^Not found/],
  [plain('/', {}, 'DELETE'), 405, /^Only GET/],
  [plain('/client.js', { Expect: 'nothing' }), 200, /{/],
];
/** The same, but the server closes the connection after its response. */
const LAST_ROWS: Row[] = [
  [plain('/ws'), 426, /^A WebSocket needs/],
  [plain('/style.css', { Connection: 'close' }), 200, /{/],
  [plain('/', LENGTH, 'POST') + 'abc', 405, /^Only GET/],
  [plain('/', CHUNKED) + '3\r\nabc\r\n0\r\n\r\n', 200, HTML],
  [plain('dante.example:80', {}, 'CONNECT'), 405, /^Only GET/],
  [handshake('/', H2C), 200, HTML],
  [handshake('/style.css', H2C, { method: 'HEAD' }), 200, /^$/],
  [handshake('/', { ...H2C, 'If-None-Match': '*' }), 304, /^$/],
  [handshake('/ws', {}, { method: 'PUT' }), 405, /^Only GET/],
  [handshake('/no'), 404, /^Not found/],
  [handshake('/ws', LENGTH) + 'abc', 426, /^A WebSocket needs/],
  [handshake('/ws', {}, { version: '1.0' }), 426, /HTTP\/1\.0/],
  [handshake('/ws'), 101, /^$/],
];

test(`random pipelines get their responses in order; SEED=${SEED}`, async () => {
  const { server, port, close } = await startApp(createStream(['one', 'two', 'six'], 5));

  /** Sends a random pipeline, and compares what comes back until the connection closes. */
  async function play(seed: number): Promise<void> {
    const random = createRandom(seed);
    const below = (limit: number): number => Math.floor(random() * limit);
    const pick = (rows: Row[]): Row => rows[below(rows.length)] ?? assert.fail();
    const last = pick(LAST_ROWS);
    const expected = [...Array.from({ length: below(4) }, () => pick(ROWS)), last];
    // A request that gets no response. Node.js takes one after ": close" for an error.
    const isOver = last[1] === 101 || last[0].includes(': close');
    const bytes = expected.map(([text]) => text).join('') + (isOver ? '' : plain('/'));
    const cut = below(bytes.length);
    const ending = ['wait', 'half-close', 'reset'][below(3)];

    const { socket, received } = collect(port);
    const closed = once(socket, 'close');
    socket.on('data', () => received().endsWith(END) && socket.end());
    await once(socket, 'connect');
    socket.write(bytes.slice(0, cut));
    await tick();
    socket.write(bytes.slice(cut));
    await tick();
    if (ending === 'reset') return void socket.resetAndDestroy(); // It must harm no other one.
    if (ending === 'half-close' && last[1] !== 101) socket.end();
    await closed;
    let rest = received();
    for (const [sent, status, body] of expected) {
      const response = parseResponse(rest, sent.split(' ')[0]);
      assert.equal(response?.status, status, `${ending} ${cut}: ${bytes}\n\n${received()}`);
      assert.match(response.body, body, sent);
      if (status === 405) assert.equal(response.headers['allow'], 'GET, HEAD');
      rest = response.rest;
    }
    assert.equal(rest, last[1] === 101 ? MESSAGES + END : '');
  }

  for (let done = 0; done < 500; done += 25) {
    await Promise.all(Array.from({ length: 25 }, (_, i) => play(SEED + done + i)));
  }
  const closed = once(server, 'close'); // After all connections.
  close();
  await closed;
});
