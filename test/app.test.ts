import './support/bounds.js';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadAssets } from '../dist/assets.js';
import { Reader } from '../dist/reader.js';
import { createStream, startApp } from './support/app.js';
import { ROOT } from './support/program.js';
import { collect, connectTo, exchange, H2C, handshake, request } from './support/raw.js';
import { openReader } from './support/reader.js';
import { until } from './support/until.js';

const PUBLIC = join(ROOT, 'public');
const PAGE = readFileSync(join(PUBLIC, 'index.html'), 'utf8');

describe('app', () => {
  let app: Awaited<ReturnType<typeof startApp>>;
  before(async () => void (app = await startApp(createStream(['one', 'two', 'three'], 10))));
  after(() => app.close());
  const get = (target: string, headers = {}, method = 'GET') =>
    exchange(app.port, request(target, headers, method));

  test('the page is at / and at every path that ends in /server-faye.js', async () => {
    for (const target of [
      '/', '/?x=/ws', '/index.html', '/server-faye.js', '/server-faye.js/', '/dante/Server-Faye.js',
      '/a/b/server-faye.js?x=1', '/server-faye.js/server-faye.js', 'http://dante.example',
      'HTTP://dante.example/dante/server-faye.js', 'https://dante.example?x',
    ]) {
      const { status, body } = await get(target);
      assert.deepEqual([status, body], [200, PAGE], target);
    }
  });

  test('every file of public/ has its headers, also with HEAD and 304', async () => {
    for (const name of readdirSync(PUBLIC)) {
      const { status, headers, body } = await get(`/dante/server-faye.js/${name}?v=1`);
      assert.deepEqual([status, body], [200, readFileSync(join(PUBLIC, name), 'utf8')]);
      const { date, ...fixed } = headers;
      const { 'content-type': type = '', etag = '', ...rest } = fixed;
      assert.match(type, /^[a-z]+\/[a-z+]+; charset=utf-8$/);
      assert.match(etag, /^"[\w-]{43}"$/);
      assert.deepEqual(rest, {
        'content-length': String(Buffer.byteLength(body)),
        'cache-control': 'no-cache',
        'content-security-policy':
          "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        connection: 'close',
      });
      for (const [tags, expected] of [
        [etag, 304], [`W/${etag}`, 304], [`"other", ${etag}`, 304], [' * ', 304],
        ['"other"', 200], [etag.slice(1, -1), 200], ['', 200],
      ] as const) {
        const again = await get(`/${name}`, { 'If-None-Match': tags }, 'HEAD');
        const { date: _, ...same } = again.headers;
        assert.deepEqual([again.status, same, again.body], [expected, fixed, ''], tags);
      }
    }
  });

  test('an unknown path gets 404, and no path escapes public/', async () => {
    const ups = ['..', '%2e%2e', '.%2e', '%252e%252e', '..;', '..%00'];
    const slashes = ['/', '//', '%2f', '%252f', '\\', '%5c', '/./'];
    const escapes = ups.flatMap((up) => slashes.map((slash) => `/${up}${slash}package.json`));
    for (const target of [
      ...escapes, '/missing.js', '/dante/', '/dante/ws', '/server-faye.jsx', '/__proto__', '*',
      '/server-faye.jsstyle.css', '/x/style.css', '/ws/', '/wsx', '/STYLE.CSS', '/./index.html',
      '/server-faye.js/ws/x', '/index.html%00', '/%69ndex.html', '/C:/Windows/win.ini',
      'ftp://dante.example/', '/xhttp://dante.example/',
    ]) {
      const { status, body } = await get(target);
      assert.equal(status, 404, target);
      assert.match(body, /^Not found\. [^\n]+\.\n$/);
    }
  });

  const change = (name: string, values: (string | undefined)[]) =>
    values.map((value) => ['/ws', { [name]: value }] as const);
  const FROMS = ['-1', '1.5', 'abc', '', '1e0', '0x1', '%201', '3%0a', '9'.repeat(20), '3?'];
  const KEYS = [undefined, '', 'AAAAAAAAAAAAAAAAAAAA', 'x'.repeat(22), `${'A'.repeat(22)}==x`];
  const EXTENSIONS = ['@@@', 'a b', ',', 'a;', 'a;=1', 'a; b=', 'a; b="1', 'a; b=1"', 'a,,b', ';a'];
  for (const [status, body, rows] of [
    [404, /^Not found/, [['/wsx', {}], ['/', {}], ['/style.css', {}]]],
    [426, /version 13/, change('Sec-WebSocket-Version', ['8', '14', '13, 8', undefined])],
    [426, /version 13/, change('Sec-WebSocket-Key', KEYS)],
    [400, /^The Host header is missing/, change('Host', [undefined])],
    [400, /^Sec-WebSocket-Extensions is/, change('Sec-WebSocket-Extensions', EXTENSIONS)],
    [400, /^from is ".*", but must be a whole number from 0 to \d+\.$/m,
      FROMS.map((from) => [`/ws?from=${from}`, {}] as const)],
    [403, /^Pages of \S+ may not open this stream/, [
      ...change('Origin', ['https://stranger.example', 'null', 'http://dante.example:8080']),
      ...change('Origin', ['http://dante.example:443', 'http://dante.example.evil', 'ftp://x']),
      ['/ws', { Host: 'a b', Origin: 'http://a' }],
    ]],
  ] as const) {
    test(`a handshake is refused with ${status} (${body.source.slice(0, 20)}…)`, async () => {
      for (const [target, changes] of rows) {
        const response = await exchange(app.port, handshake(target, changes));
        const { date = '', ...headers } = response.headers;
        assert.equal(response.status, status, `${target} ${JSON.stringify(changes)}`);
        assert.match(response.body, body);
        assert.match(response.body, /^[^\n]+\n$/);
        assert.ok(Math.abs(Date.parse(date) - Date.now()) < 60_000);
        assert.deepEqual(headers, {
          'content-type': 'text/plain; charset=utf-8',
          'content-length': String(Buffer.byteLength(response.body)),
          'x-content-type-options': 'nosniff',
          connection: status === 426 ? 'Upgrade, close' : 'close',
          ...(status === 426 && { upgrade: 'websocket', 'sec-websocket-version': '13' }),
        });
      }
    });
  }

  test('handshakes from the own origin, an allowed one, or none are accepted', async () => {
    const extensions = "a, b;c=1 ; d = \"2\" , x!#$%&'*+.^`|~-y";
    for (const [target, changes] of [
      ['/dante/server-faye.js/ws?x=1', {}],
      ...change('Origin', [undefined, 'http://dante.example', 'https://friend.example']),
      ...change('Sec-WebSocket-Extensions', ['permessage-deflate;\tclient_max', extensions]),
      ['/ws', { Origin: 'http://dante.example', Host: 'DANTE.example:80' }],
      ['/ws', { Origin: 'https://dante.example', Host: 'dante.example:443' }],
      ['/ws', { Origin: 'http://[::1]:8888', Host: '[::1]:8888' }],
    ] as const) {
      const { status } = await exchange(app.port, handshake(target, changes), { keep: true });
      assert.equal(status, 101, JSON.stringify(changes));
    }
  });

  test('a request with a body is answered after the body, and the connection closes', async () => {
    const big = request('/', { 'Content-Length': '20000000' }, 'POST') + 'x'.repeat(20_000_000);
    const { status, body } = await exchange(app.port, big);
    assert.deepEqual([status, body], [405, 'POST is not allowed. Use GET or HEAD.\n']);
    const { socket, received } = collect(connectTo(app.port));
    socket.write('GET /ws HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe');
    await sleep(50);
    assert.equal(received(), '');
    socket.write('llo\r\n0\r\n\r\n');
    await once(socket, 'close');
    assert.match(received(), /^HTTP\/1\.1 426 .*\r\nConnection: Upgrade, close\r\n/s);
  });

  test('a client that does not close is disconnected after its response', async (t) => {
    const bodyless = get('/', { 'Content-Length': '3', Connection: 'x' });
    const client = connect({ port: app.port, host: '127.0.0.1', allowHalfOpen: true });
    const { socket, received } = collect(client);
    socket.write(handshake('/no'));
    const writes = setInterval(() => socket.write('x'.repeat(1000)), 50);
    t.after(() => clearInterval(writes));
    await new Promise((resolve) => socket.once('close', resolve));
    assert.match(received(), /^HTTP\/1\.1 404 [^]*Not found\..*\n$/);
    const { status, headers } = await bodyless;
    assert.deepEqual([status, headers['connection']], [200, 'close']);
  });

  test('a response leaves no timer, after a refusal or a body', async (t) => {
    const { mock: set } = t.mock.method(globalThis, 'setTimeout');
    const { mock: clear } = t.mock.method(globalThis, 'clearTimeout');
    await exchange(app.port, handshake('/no'));
    await exchange(app.port, request('/', { 'Content-Length': '3' }, 'POST') + 'abc');
    const limits = set.calls.filter((call) => call.arguments[1] === 2000);
    assert.equal(limits.length, 2);
    const cleared = () => clear.calls.map((call): unknown => call.arguments[0]);
    await until(() => limits.every(({ result }) => cleared().includes(result)), 'clearTimeout');
  });

  test('shutting down closes idle connections, and answers open ones with 503', async () => {
    const closing = await startApp(createStream(['one'], 1000));
    closing.server.keepAliveTimeout = 600_000;
    const peers: Socket[] = [];
    closing.server.on('connection', (peer) => peers.push(peer));
    const idle = collect(connectTo(closing.port));
    idle.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(idle.socket, 'data');
    const texts = [handshake(), handshake('/', H2C), request('/')];
    const busy = texts.map((text) => ({ text, ...collect(connectTo(closing.port)) }));
    for (const { socket, text } of busy) socket.write(text.slice(0, 20));
    await until(() => peers.filter((peer) => peer.bytesRead === 20).length === 3, 'the heads');
    closing.close();
    for (const { socket, text } of busy) socket.write(text.slice(20));
    for (const { socket } of [idle, ...busy]) if (!socket.closed) await once(socket, 'close');
    for (const { received } of busy) {
      assert.match(received(), /^HTTP\/1\.1 503 .*\r\nConnection: close\r\n.*shutting down\.\n$/s);
    }
  });

  test('open readers get empty messages in silence, closed ones are forgotten', async (t) => {
    const { mock: timers } = t.mock.method(globalThis, 'setInterval');
    const { mock: ticks } = t.mock.method(Reader.prototype, 'tick');
    const quiet = await startApp(createStream(['one', 'two'], 60_000));
    const [everySecond, delayMs] = timers.calls[0]?.arguments ?? assert.fail();
    assert.equal(delayMs, 1000);
    const readers = [0, 1].map(() => openReader(`ws://127.0.0.1:${quiet.port}/ws`));
    await Promise.all(readers.map(({ opened }) => opened));
    for (let i = 0; i < 5; i += 1) everySecond();
    await until(() => readers.every(({ messages }) => messages.at(-1) === ''), 'empty messages');
    readers[0]?.socket.close();
    await until(() => {
      ticks.resetCalls();
      everySecond();
      return ticks.callCount() === 1;
    }, 'the closed reader to be forgotten');
    quiet.close();
  });

  test('a file is served by its encoded name with a type, and a subfolder is not', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'dante-assets-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const types = 'css html ico jpg JS json map mjs png svg txt webp'.split(' ');
    const names = types.map((type) => `a.${type}`).concat('a.bin', 'my café (1) 100%.txt');
    for (const name of names) writeFileSync(join(folder, name), '');
    mkdirSync(join(folder, 'sub'));
    const assets = loadAssets(folder);
    assert.deepEqual([...assets.keys()].sort(), names.map(encodeURI).sort());
    const unknown = [...assets].filter(([, { headers }]) => /octet/.test(headers['Content-Type']));
    assert.deepEqual(unknown.map(([name]) => name), ['a.bin']);
    assert.throws(() => loadAssets(join(folder, 'missing')), /missing/);
  });
});
