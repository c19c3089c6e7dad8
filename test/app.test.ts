import './support/bounds.js';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync }
  from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { SCRIPT } from '../dist/app.js';
import { loadAssets } from '../dist/assets.js';
import { createStream, listen, startApp, startInMemory } from './support/app.js';
import { ROOT } from './support/program.js';
import { exchange, handshake, request } from './support/raw.js';
import { until } from './support/until.js';

const PUBLIC = join(ROOT, 'public');
const change = (name: string, values: (string | undefined)[]) =>
  values.map((value) => ['/ws', { [name]: value }] as const);

let app: Awaited<ReturnType<typeof startApp>>;
before(async () => void (app = await startApp(createStream(['one', 'two', 'three'], 10))));
after(() => app.close());
const get = (target: string, headers = {}, line = {}) =>
  exchange(app.port, request(target, headers, line));

const UPS = ['..', '%2e%2e', '.%2e', '%252e%252e', '..;', '..%00'];
const SLASHES = ['/', '//', '%2f', '%252f', '\\', '%5c', '/./'];
for (const [what, expected, text, targets] of [
  ['the page is at / and at every path that ends in the script', 200, /^<!doctype html>/i, [
    '/', '/?x=/ws', '/index.html', `/${SCRIPT}`, `/${SCRIPT}/`, `/dante/${SCRIPT.toUpperCase()}`,
    `/a/b/${SCRIPT}?x=1`, `/${SCRIPT}/${SCRIPT}`, 'http://dante.example',
    'HTTP://dante.example', 'https://dante.example?x', '/%69ndex.html',
  ]],
  ['an unknown path gets 404', 404, /^Not found\. [^\n]+\.\n$/, [
    '/missing.js', '/dante/', '/dante/ws', `/${SCRIPT}x`, '/__proto__', '*',
    `/${SCRIPT}style.css`, '/x/style.css', '/ws/', '/wsx', '/STYLE.CSS', '/./index.html',
    `/${SCRIPT}/ws/x`, '/index.html%00', '/%', '/%ff', '/C:/Windows/win.ini',
    'ftp://dante.example/', '/xhttp://dante.example/',
  ]],
  ['no path escapes public/', 404, /^Not found/,
    UPS.flatMap((up) => SLASHES.map((slash) => `/${up}${slash}package.json`))],
] as const) {
  test(what, async () => {
    for (const target of targets) {
      const { status, body } = await get(target);
      assert.equal(status, expected, target);
      assert.match(body, text);
    }
  });
}

test('every file of public/ has its headers, also with HEAD and 304', async () => {
  for (const name of readdirSync(PUBLIC)) {
    const { status, headers, body } = await get(`/dante/${SCRIPT}/${name}?v=1`);
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
      const again = await get(`/${name}`, { 'If-None-Match': tags }, { method: 'HEAD' });
      const { 'content-length': length, ...others } = fixed;
      const { date: _, ...same } = again.headers;
      // Clients fail on the length of a 304 (RFC 9110 section 8.6).
      const wanted = expected === 304 ? others : fixed;
      assert.deepEqual([again.status, same, again.body], [expected, wanted, ''], tags);
    }
  }
});

const OWN = 'https://dante.example';
const FROMS = ['-1', '1.5', 'abc', '', '1e0', '0x1', '%201', '3%0a', '4', '9'.repeat(400), '3?'];
const KEYS = ['', 'AAAAAAAAAAAAAAAAAAAA', 'x'.repeat(22), `${'A'.repeat(22)}==x`];
for (const [status, body, rows] of [
  [404, /^Not found/, [['/wsx', {}], ['/', {}], ['/style.css', {}]]],
  [426, /Upgrade and Connection, .* version 13/, [
    ...change('Sec-WebSocket-Version', ['8', '14', '13, 8', undefined]),
    ...change('Sec-WebSocket-Key', [undefined, ...KEYS]),
    ...change('Connection', ['close', undefined]), ...change('Upgrade', [undefined]),
  ]],
  [400, /^The Host header is missing/, change('Host', [undefined])],
  [400, /^from is ".*", not a whole number from 0 to 3\.$/m,
    FROMS.map((from) => [`/ws?from=${from}`, {}] as const)],
  [403, /^Pages of \S+ may not open streams of /, [
    ...change('Origin', ['https://stranger.example', 'null', 'http://dante.example:8080']),
    ...change('Origin', ['http://dante.example:443', 'http://dante.example.evil', 'ftp://x']),
    ['/ws', { Host: 'a b', Origin: 'http://a' }],
    ['/ws', { Origin: 'http://undefined' }],
  ]],
  [101, /^$/, [
    [`/dante/${SCRIPT}/ws?x=1`, {}],
    ['/ws?from=3', {}],
    ...change('Origin', [undefined, 'http://dante.example', OWN, 'https://friend.example']),
    ['/ws', { Origin: 'http://dante.example', Host: 'dante.example:80' }],
    ['/ws', { Origin: OWN, Host: 'dante.example:443' }],
    ['/ws', { Origin: OWN, Host: 'Dante.Example' }],
    ['/ws', { Origin: OWN, 'X-Forwarded-Host': 'a.example' }],
    ['/ws', { Origin: 'http://[::1]:8888', Host: '[::1]:8888' }],
    ['/ws', { Origin: OWN, Host: '10.0.0.1:8888', 'X-Forwarded-Host': 'dante.example' }],
    ['/ws', { Origin: OWN, Host: 'x', 'X-Forwarded-Host': 'a.example , dante.example:443' }],
    ['/ws', { 'Sec-WebSocket-Extensions': '@@@', 'Sec-WebSocket-Protocol': 'a, b' }],
  ]],
] as const) {
  test(`a handshake gets ${status} (${body.source.slice(0, 22)}…)`, async () => {
    for (const [target, changes] of rows) {
      const response = await exchange(app.port, handshake(target, changes));
      const { date = '', ...headers } = response.headers;
      assert.equal(response.status, status, `${target} ${JSON.stringify(changes)}`);
      assert.match(response.body, body);
      if (status === 101) {
        assert.deepEqual(Object.keys(headers), ['upgrade', 'connection', 'sec-websocket-accept']);
        continue;
      }
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

test('a plain request for the stream gets 426, without the header Upgrade', async () => {
  const { status, headers } = await get('/ws');
  assert.deepEqual([status, headers['connection'], headers['upgrade']], [426, 'close', undefined]);
  assert.equal(headers['sec-websocket-version'], '13');
});

test('all files are served by their names, but no hidden ones, backups and folders', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'dante-assets-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const types = 'css html ico jpg JS json map mjs png svg txt webp'.split(' ');
  const names = types.map((type) => `a.${type}`).concat('a~b.bin', 'my café (1) 100%.txt');
  for (const name of [...names, '.env', 'a.css~']) writeFileSync(join(folder, name), '');
  mkdirSync(join(folder, 'sub'));
  const canLink = process.platform !== 'win32'; // There it takes rights.
  if (canLink) symlinkSync('a.css', join(folder, 'link.css'));
  const assets = loadAssets(folder);
  const expected = [...names, ...(canLink ? ['link.css'] : [])];
  assert.deepEqual([...assets.keys()].sort(), expected.sort());
  const typeOf = (name: string) => assets.get(name)?.headers['Content-Type'] ?? '';
  const unknown = [...assets.keys()].filter((name) => !/^[a-z]+\/(?!octet)/.test(typeOf(name)));
  assert.deepEqual(unknown, ['a~b.bin']);
  if (canLink) symlinkSync('nowhere', join(folder, 'broken.css'));
  if (canLink) assert.throws(() => loadAssets(folder), /broken\.css/);
});

test('refused origins print one short line an hour', async (t) => {
  const { mock } = t.mock.method(console, 'error', () => {});
  const { clock, connect } = startInMemory(t);
  clock.advance(7_200_000); // Other tests have printed this line, too.
  const refuse = async (Origin: string): Promise<void> => {
    const socket = connect(handshake('/ws', { Origin }));
    await until(() => / 403 /.test(socket.received), 'the refusal');
  };
  await refuse(`\x9b\t${'x'.repeat(15_000)}`);
  clock.advance(3_599_000);
  await refuse('http://a.example');
  assert.equal(mock.callCount(), 1);
  clock.advance(1000);
  await refuse('http://b.example:81');
  const [first, second] = mock.calls.flatMap((call): string[] => call.arguments);
  assert.match(`${first}`, /^[^\x00-\x1f\x7f-\x9f]{100,800}$/);
  assert.match(`${second}`, / Host, .* ALLOWED_ORIGINS: .* http:..b\.example:81 .* \(1 more/);
});

test('a client has 2 s to send its body, and 2 s to close after a refusal', async (t) => {
  const { clock, connect } = startInMemory(t);
  const slow = connect(request('/', { 'Content-Length': '3', Connection: 'x' }));
  const quick = connect(request('/', { 'Content-Length': '3' }, { method: 'POST' }) + 'abc');
  await until(() => / 405 .*\.\n$/s.test(quick.received), 'the response to a whole body');
  const open = connect(handshake('/no'));
  await until(() => / 404 .*\.\n$/s.test(open.received), 'the refusal');
  open.push('more');
  clock.advance(1999);
  await turn();
  assert.deepEqual([slow.received, open.readableLength, open.destroyed], ['', 0, false]);
  clock.advance(10); // A refusal has a few milliseconds more, for its body.
  assert.match(slow.received, /^HTTP\/1\.1 200 .*\r\nConnection: close\r\n/s);
  assert.equal(open.destroyed, true);
});

test('shutting down closes idle connections, and answers open ones with 503', async (t) => {
  const { clock, server, connect, close } = startInMemory(t);
  await listen(server); // Only then does Node.js know which connections are idle.
  const idle = connect('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await until(() => idle.received.includes('</html>'), 'the page');
  assert.match(idle.received, /\r\nKeep-Alive: timeout=120\r\n/);
  const texts = [handshake(), handshake('/', { Upgrade: 'h2c' }), request('/')];
  const sockets = texts.map((text) => connect(text.slice(0, 20)));
  await turn();
  const timers = clock.timers.length;
  void close();
  assert.deepEqual([idle.destroyed, clock.timers.length], [true, timers - 1]);
  for (const [i, socket] of sockets.entries()) {
    socket.push(texts[i]?.slice(20));
    const refusal = /^HTTP\/1\.1 503 .*\r\nConnection: close\r\n.*shutting down\.\n$/s;
    await until(() => refusal.test(socket.received), 'the refusal');
  }
});

test('a connection with more than 100 unanswered requests is destroyed', async (t) => {
  const { connect } = startInMemory(t);
  for (const count of [100, 101]) {
    const socket = connect('');
    socket.isReading = false;
    socket.push('GET /no HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(count));
    await turn();
    assert.equal(socket.destroyed, count === 101);
  }
});

test('a client that does not read its responses is destroyed after 60 s', async (t) => {
  const { clock, connect } = startInMemory(t);
  for (const last of [request('/'), handshake('/no'), handshake('/', { Upgrade: 'h2c' })]) {
    const socket = connect('');
    socket.isReading = false;
    socket.push('GET /client.js HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(9) + last);
    await until(() => socket.received, 'the first response');
    clock.advance(59_999);
    assert.equal(socket.destroyed, false);
    clock.advance(1);
    assert.equal(socket.destroyed, true, last);
  }
  const unread = connect('');
  unread.isReading = false;
  unread.push(handshake('/no'));
  await until(() => unread.received, 'the refusal');
  clock.advance(2010);
  assert.equal(unread.destroyed, true);
  const idle = connect('GET /no HTTP/1.1\r\nHost: x\r\n\r\n');
  await until(() => idle.received, 'the response');
  clock.advance(119_999);
  assert.equal(idle.destroyed, false, 'an idle connection has 120 s');
  clock.advance(1001);
  assert.equal(idle.destroyed, true);
});

test('a stream with an origin says hello, and tells each client where it is', async (t) => {
  const asked: unknown[] = [];
  const begun: unknown[] = [];
  const { connect } = startInMemory(t, {
    total: 5,
    origin: ({ url }) => ({ epoch: 'b', earliest: asked.push(url) && 2 }),
    begin: (_, from, { url }) => void begun.push([from, url]),
  });
  const rows: [query: string, from: number | undefined][] = [
    ['', 2], ['?from=1', 2], ['?from=4', 4], ['?from=5', 5], ['?from=6', undefined],
    ['?from=4&epoch=b', 4], ['?epoch=b', 2], ['?from=6&epoch=b', undefined],
    ['?from=9&epoch=a', 2], ['?from=4&epoch=a', 2], ['?from=4&epoch=', 4],
    ['?from=x&epoch=a', undefined], ['?from=9007199254740992&epoch=a', undefined],
  ];
  for (const [query, from] of rows) {
    const socket = connect(handshake(`/ws${query}`));
    await until(() => /\r\n\r\n./s.test(socket.received), 'hello, or the refusal');
    const [, first = ''] = socket.received.split('\r\n\r\n');
    const hello = JSON.stringify({ epoch: 'b', from, total: 5 });
    const refusal = /^from is ".*", not a whole number from 0 to 5\.\n$/;
    if (from === undefined) assert.match(first, refusal);
    else assert.equal(first, `\x82${String.fromCharCode(hello.length)}${hello}`);
  }
  assert.deepEqual(asked, rows.map(([query]) => `/ws${query}`));
  const opened = rows.filter(([, from]) => from !== undefined);
  assert.deepEqual(begun, opened.map(([query, from]) => [from, `/ws${query}`]));
});

test('close() resolves once when the readers have left and the stream has closed', async (t) => {
  const order: string[] = [];
  const { connect, close } = startInMemory(t, {
    begin: (reader) => void reader.on('close', () => order.push('left')),
    close: async () => void order.push('stream'),
  });
  const socket = connect(handshake());
  await until(() => socket.received, 'the handshake');
  const all = Promise.all([close(), close()]).then(() => order.push('closed'));
  await turn();
  socket.sendFrame(0x88, '\x0f\xa1');
  await all;
  assert.deepEqual(order, ['stream', 'left', 'closed']);
});

test('without an end, any safe whole number is a from', async (t) => {
  const app = await startApp({ total: Infinity, begin() {} });
  t.after(() => app.close());
  const ask = (from: string) => exchange(app.port, handshake(`/ws?from=${from}`));
  assert.equal((await ask('9007199254740991')).status, 101);
  for (const from of ['9007199254740992', '9'.repeat(400), 'x']) {
    assert.equal((await ask(from)).body, `from is "${from}", not a whole number.\n`);
  }
});
