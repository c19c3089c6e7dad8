import './support/bounds.js';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostInIisnode } from '../dist/iisnode.js';
import { startApp } from './support/app.js';
import { kill } from './support/bounds.js';
import { ROOT, runNode, type Program } from './support/program.js';
import { exchange, handshake, parseResponse, request, type RawResponse } from './support/raw.js';
import { until } from './support/until.js';

/**
 * In place of iisnode's interceptor.js: it moves argv up, replaces write() of stdout by one that
 * returns nothing and takes no callback, and require()s the script.
 */
const INTERCEPTOR = `
process.argv.splice(1, 0, 'interceptor.js'); process.argv.splice(1, 1);
for (const name of ['stdout', 'stderr']) {
  process[name].write = (text) => void require('fs').appendFileSync(process.env.LOG, name + text);
}
require(process.argv[1]);`;

/** A server that does to a request what iisnode does to it, and nothing else of IIS. */
function createIisnode(pipe: string) {
  const pool: Socket[] = [];

  /** Sends a request to the newest pooled pipe, whether or not Node has closed it. */
  async function ask({ method, url = '', rawHeaders }: IncomingMessage, body = '') {
    // cprotocolbridge.cpp: the path is decoded, and any Connection but `Upgrade` is replaced.
    let head = `${method} ${url.replace(/^[^?]*/, decodeURI)} HTTP/1.1\r\n`;
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const [name = '', value = ''] = rawHeaders.slice(i);
      const isKept = name.toLowerCase() !== 'connection' || value.toLowerCase() === 'upgrade';
      head += `${name}: ${isKept ? value : 'keep-alive'}\r\n`;
    }
    const socket = pool.pop() ?? connect(pipe).on('error', () => {}); // `close` follows.
    socket.write(`${head}\r\n${body}`);
    let bytes = Buffer.alloc(0);
    const closed = once(socket, 'close');
    for (;;) {
      if (socket.destroyed) throw new Error('The pipe was closed.');
      const [chunk] = await Promise.race([once(socket, 'data'), closed]);
      if (Buffer.isBuffer(chunk)) bytes = Buffer.concat([bytes, chunk]);
      const response = parseResponse(bytes, method);
      if (!response) continue;
      // chttpprotocol.cpp: the pipe is kept unless the Connection header ends in `close`.
      if (response.headers['connection']?.endsWith('close')) socket.destroy();
      else if (response.status !== 101) pool.push(socket);
      return { status: response.status, bytes, socket };
    }
  }

  async function answer(request: IncomingMessage, client: Socket): Promise<void> {
    client.on('error', () => client.destroy());
    const result = await ask(request).catch(() => undefined);
    client.write(result?.bytes ?? 'HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n');
    if (result?.status !== 101) return void client.end();
    const { socket } = result;
    // Neither side's end reaches the other.
    client.on('data', (chunk) => socket.write(chunk));
    socket.on('data', (chunk) => client.destroyed || client.write(chunk));
  }
  const server = createServer((incoming, response) => void answer(incoming, response.req.socket));
  return Object.assign(server.on('upgrade', answer), { pool });
}

const WS = '/dante/server-faye.js/ws';

describe('behind iisnode', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dante-iis-'));
  const isWindows = process.platform === 'win32';
  const pipe = isWindows ? `\\\\.\\pipe\\dante-iis-${process.pid}` : join(folder, 'pipe');
  const log = join(folder, 'log');
  const iisnode = createIisnode(pipe);
  let program: Program;
  let port: number;
  before(async () => {
    const env = { PORT: pipe, LOG: log, INTERVAL_MS: '5', IISNODE_VERSION: '0.2.26' };
    program = runNode(['-e', INTERCEPTOR, join(ROOT, 'server-faye.js')], env);
    await until(() => existsSync(log) && /\n$/.test(readFileSync(log, 'utf8')), 'the server');
    iisnode.listen(0, '127.0.0.1');
    await once(iisnode, 'listening');
    ({ port } = iisnode.address() as AddressInfo); // Only a path's address is a string.
  });
  after(async () => {
    kill(program.child);
    await program.exited;
    iisnode.close();
    iisnode.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });
  const get = (path: string): Promise<RawResponse> =>
    exchange(port, request(`/dante/server-faye.js${path}`));
  const upgrade = async (path: string, headers = {}): Promise<number> =>
    (await exchange(port, handshake(path, headers), { keep: true })).status;

  test('it logs where it listens', () => {
    assert.equal(readFileSync(log, 'utf8'), `stdoutListening on ${pipe}\n`);
  });

  test('the page and its files are served', async () => {
    assert.match((await get('')).body, /<!doctype html>/i);
    assert.match((await get('/style.css')).body, /--paper/);
  });

  for (const Connection of ['Upgrade', 'upgrade', 'keep-alive, Upgrade']) {
    test(`a handshake with Connection: ${Connection} opens the stream`, async () => {
      assert.equal(await upgrade(WS, { Connection }), 101);
      assert.equal(await upgrade(`${WS}?from=x`, { Connection }), 400);
      assert.equal(await upgrade(`${WS}x`, { Connection }), 404);
    });
  }

  test('after refusals of every kind the next request gets its response', async () => {
    for (let i = 0; i < 10; i += 1) {
      assert.equal(await upgrade(`${WS}?from=x`), 400);
      assert.equal(await upgrade(WS, { 'Sec-WebSocket-Version': '8' }), 426);
      assert.equal((await get('/missing.js')).status, 404);
      assert.equal((await get('/ws')).status, 426);
      await sleep(5);
      assert.equal((await get('/client.js')).status, 200);
    }
    assert.ok(iisnode.pool.length > 0, 'iisnode keeps the pipes of plain responses');
  });

  test('a body that never comes takes nothing of the next request', async () => {
    const post = request('/dante/server-faye.js', { 'Content-Length': '3' }, 'POST');
    assert.equal((await exchange(port, post)).status, 405);
    assert.equal((await get('/client.js')).status, 200);
  });
});

test('iisnode keeps pipes for 30 s, and Node keeps them longer', () => {
  const server = createServer();
  hostInIisnode(server);
  assert.ok(server.keepAliveTimeout > 30_000 && server.keepAliveTimeout < 300_000);
});

test('only a handshake is repaired, and nothing that comes after it', async () => {
  const text = handshake(WS, { Connection: 'keep-alive' });
  const server = createServer((incoming, response) => response.end(incoming.headers.connection));
  hostInIisnode(server);
  let received = '';
  server.on('upgrade', ({ headers }, socket) => {
    socket.on('data', (chunk: Buffer) => (received += chunk));
    socket.write(`HTTP/1.1 101 ${headers.connection}\r\n\r\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // Only a path's address is a string.
  const plain = await exchange(port, request('/', { Connection: 'keep-alive' }), { keep: true });
  assert.equal(plain.body, 'keep-alive');
  const client = connect(port, '127.0.0.1');
  client.write(text);
  const [head] = await once(client, 'data');
  assert.match(String(head), /101 Upgrade\s/);
  client.write(text);
  await until(() => received.length >= text.length, 'the bytes after the handshake');
  assert.equal(received, text);
  client.destroy();
  server.close();
});

test('without iisnode, a Connection without Upgrade is no handshake', async () => {
  const { port, close } = await startApp(['one'], 1000);
  const text = handshake('/ws', { Connection: 'keep-alive' });
  assert.equal((await exchange(port, text, { keep: true })).status, 426);
  close();
});

test('web.config maps the script, and passes WebSockets and errors on', () => {
  const text = readFileSync(join(ROOT, 'web.config'), 'utf8').replace(/<!--[^]*?-->/g, '');
  const tags = [...text.matchAll(/<(\w+)\s+([^/]*?)\s*\/>/g)].map(([, name, attributes = '']) => [
    name, ...attributes.split(/\s+/),
  ]);
  assert.match(text, /<handlers>\s*<clear \/>\s*<add /);
  assert.deepEqual(tags.filter(([name]) => name !== 'clear'), [
    ['webSocket', 'enabled="false"'],
    ['add', 'name="iisnode"', 'path="server-faye.js"', 'verb="*"', 'modules="iisnode"'],
    ['httpErrors', 'existingResponse="PassThrough"'],
    [
      'iisnode', 'maxConcurrentRequestsPerProcess="100000"', 'watchedFiles=""',
      'debuggingEnabled="false"', 'devErrorsEnabled="false"',
    ],
  ]);
});
