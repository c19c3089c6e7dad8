import './support/bounds.js';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync,
  writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { SCRIPT } from '../dist/app.js';
import { loadAssets } from '../dist/assets.js';
import { createStream, startApp, startInMemory } from './support/app.js';
import { collect, exchange, handshake, parseResponse, request, until } from './support/client.js';
import { ROOT } from './support/program.js';
import { createRandom, SEED } from './support/random.js';

const PUBLIC = join(ROOT, 'public');
const HTML = /^<!doctype html>[^]*<\/html>\n$/i;
const H2C = { Upgrade: 'h2c', Connection: 'Upgrade, HTTP2-Settings', 'HTTP2-Settings': 'AAMA' };
const MESSAGES = '\x81\x03one\x81\x03two\x81\x03six';
const END = '\x88\x02\x03\xe8'; // Close code 1000.
const OWN = 'https://dante.example';
const FROMS = ['-1', '1.5', 'abc', '', '1e0', '0x1', '%201', '3%0a', '4', '9'.repeat(400), '3?'];
const KEYS = ['', 'AAAAAAAAAAAAAAAAAAAA', 'x'.repeat(22), `${'A'.repeat(22)}==x`];
const TAG = loadAssets(PUBLIC).get('client.js')?.headers.ETag ?? '';
const change = (name: string, ...values: (string | undefined)[]) =>
  values.map((value) => handshake('/ws', { [name]: value }));
const ask = (...tags: string[]) =>
  tags.map((tag) => request('/client.js', { 'If-None-Match': tag }));
const plain = (target: string) => request(target, { Connection: undefined });

/** Requests, and the response to each of them. */
type Rows = readonly [name: string, status: number, body: RegExp, requests: string[]][];
/** Those that leave a connection open, unless a header says that they do not. */
const PLAIN: Rows = [
  ['the page is at / and at every path that ends in the script', 200, HTML, [
    '/', `/${SCRIPT}`, `/${SCRIPT}/`, `/dante/${SCRIPT.toUpperCase()}`, `/a/b/${SCRIPT}?x=1`,
    `/${SCRIPT}/${SCRIPT}`, '/%69ndex.html', 'HTTP://dante.example', 'https://dante.example?x',
  ].map((target) => request(target))],
  ['an unknown path gets 404, and none escapes public/', 404, /^Not found\. [^\n]+\.\n$/, [
    '/missing.js', '/dante/', '/dante/ws', '/__proto__', '*', '/ws/', '/STYLE.CSS', '/%',
    `/${SCRIPT}style.css`, '/./index.html', '/index.html%00', '/../package.json',
    '/%2e%2e%2fpackage.json', '/..\\package.json', 'ftp://a.example/', '/xhttp://a.example/',
  ].map((target) => request(target, { 'Content-Length': '0' }))],
  ['all files are below the script', 200, /./,
    readdirSync(PUBLIC).map((name) => request(`/dante/${SCRIPT}/${name}?v=1`))],
  ['its tag gets 304', 304, /^$/, ask(TAG, `W/${TAG}`, `"other", ${TAG}`, ' * ')],
  ['another tag gets the file', 200, /{/, ask('"other"', TAG.slice(1, -1), '')],
  ['other methods get 405', 405, /^Only GET/, [request('/', { method: 'DELETE' })]],
  ['HEAD gets no body', 200, /^$/, [request('/reading.js', { method: 'HEAD' })]],
  ['Expect changes nothing', 200, /{/, [request('/client.js', { Expect: 'nothing' })]],
];
/** The server closes the connection after these, or it is a stream from then on. */
const LAST: Rows = [
  ['other upgrades, or those with a body, are plain requests', 200, HTML, [
    handshake('/', H2C), request('/', { 'Transfer-Encoding': 'chunked' }) + '1\r\na\r\n0\r\n\r\n',
  ]],
  ['so are those with HEAD', 200, /^$/, [handshake('/style.css', { ...H2C, method: 'HEAD' })]],
  ['so are those with a tag', 304, /^$/, [handshake('/', { ...H2C, 'If-None-Match': '*' })]],
  ['other methods get 405, with a body or an upgrade, too', 405, /^Only GET/, [
    request('/', { 'Content-Length': '999', method: 'POST' }) + 'x'.repeat(999),
    request('dante.example:80', { method: 'CONNECT' }),
    handshake('/ws', { method: 'PUT' }),
  ]],
  ['a handshake elsewhere gets 404', 404, /^Not found/, [handshake('/wsx'), handshake('/')]],
  ['one over HTTP/1.0 gets 426', 426, /HTTP\/1\.0\.$/m, [handshake('/ws', { version: '1.0' })]],
  ['one that lacks a part gets 426', 426, /^A WebSocket needs .* Upgrade and Conn.* version 13/, [
    request('/ws'),
    ...change('Sec-WebSocket-Version', '8', '14', '13, 8', undefined),
    ...change('Sec-WebSocket-Key', undefined, ...KEYS),
    ...change('Connection', 'close', undefined), ...change('Upgrade', undefined),
    handshake('/ws', { 'Content-Length': '3' }) + 'abc',
  ]],
  ['a handshake without Host gets 400', 400, /^The Host header/, change('Host', undefined)],
  ['from is a number from 0 to total', 400, /^from is ".*", not a whole number from 0 to 3\.$/m,
    FROMS.map((from) => handshake(`/ws?from=${from}`))],
  ['pages of others get 403', 403, /^Pages of \S+ may not open streams of /, change('Origin',
    'https://stranger.example', 'null', 'http://dante.example:8080', 'http://dante.example:443',
    'http://dante.example.evil', 'ftp://x', 'http://undefined')],
  ['a handshake gets 101', 101, /^$/, [
    handshake(`/dante/${SCRIPT}/ws?x=1`),
    ...change('Origin', undefined, 'http://dante.example', OWN, 'https://friend.example'),
    handshake('/ws', { Origin: 'http://dante.example', Host: 'dante.example:80' }),
    handshake('/ws', { Origin: OWN, Host: 'Dante.Example:443' }),
    handshake('/ws', { Origin: OWN, 'X-Forwarded-Host': 'a.example' }),
    handshake('/ws', { Origin: OWN, Host: 'x', 'X-Forwarded-Host': 'a , dante.example:443' }),
    handshake('/ws', { Upgrade: 'WebSocket', 'Sec-WebSocket-Extensions': '@@@' }),
  ]],
];

for (const [name, status, text, requests] of [...PLAIN, ...LAST]) {
  test(name, async (t) => {
    const { port } = await startApp(t, createStream(['one', 'two', 'six'], 5));
    for (const bytes of requests) {
      const { headers, body, ...response } = await exchange(port, bytes);
      assert.equal(response.status, status, bytes);
      assert.match(body, text, bytes);
      const { date = '', etag, 'content-type': type, 'content-length': length, ...rest } = headers;
      if (status === 101) {
        const accept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='; // RFC 6455 section 1.3
        const wanted = { connection: 'Upgrade', upgrade: 'websocket' };
        assert.deepEqual(headers, { ...wanted, 'sec-websocket-accept': accept });
        continue;
      }
      const isFile = status < 400;
      assert.ok(Math.abs(Date.parse(date) - Date.now()) < 60_000, date);
      assert.match(`${type}, ${etag}`, isFile
        ? /^[a-z]+\/[a-z+]+; charset=utf-8, "[\w-]{43}"$/
        : /^text\/plain; charset=utf-8, undefined$/);
      // Clients fail on the length of a 304 (RFC 9110 section 8.6).
      assert.equal(length === undefined, status === 304);
      assert.deepEqual(rest, {
        connection: 'close',
        'x-content-type-options': 'nosniff',
        ...(status === 405 && { allow: 'GET, HEAD' }),
        ...(status === 426 && { 'sec-websocket-version': '13' }),
        ...(bytes.includes('Sec-') && status === 426
          && { connection: 'Upgrade, close', upgrade: 'websocket' }),
        ...(isFile && {
          'cache-control': 'no-cache',
          'content-security-policy':
            "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
          'referrer-policy': 'no-referrer',
        }),
      });
    }
  });
}

test(`random pipelines get their responses in order; SEED=${SEED}`, async (t) => {
  const { mock } = t.mock.method(console, 'error', () => {});
  const stream = createStream(['one', 'two', 'six'], 5);
  const { server, port, close } = await startApp(t, stream, async (request) => {
    for await (const _ of request); // Some leave before its end.
    await turn();
    return undefined;
  });

  /** Sends a random pipeline, and compares what comes back until the connection closes. */
  async function play(seed: number): Promise<void> {
    const random = createRandom(seed);
    const below = (limit: number): number => Math.floor(random() * limit);
    const pick = (rows: Rows) => {
      const [, status, body, all] = rows[below(rows.length)] ?? assert.fail();
      const bytes = all[below(all.length)] ?? '';
      return { status, body, bytes: bytes.replace('Connection: close\r\n', '') };
    };
    const last = pick(LAST);
    const expected = [...Array.from({ length: below(4) }, () => pick(PLAIN)), last];
    const unanswered = last.status === 101 ? '' : request('/');
    const bytes = expected.map((row) => row.bytes).join('') + unanswered;
    const cut = below(bytes.length);
    const ending = ['wait', 'half-close', 'end', 'resetAndDestroy'][below(4)];

    const { socket, received } = collect(port);
    const closed = once(socket, 'close');
    socket.on('data', () => received().endsWith(END) && socket.end());
    await once(socket, 'connect');
    socket.write(bytes.slice(0, cut));
    await turn();
    if (ending === 'end' || ending === 'resetAndDestroy') return void socket[ending]();
    socket.write(bytes.slice(cut));
    await turn();
    if (ending === 'half-close' && last.status !== 101) socket.end();
    await closed;
    let rest = received();
    for (const row of expected) {
      const response = parseResponse(rest, row.bytes.split(' ')[0]);
      assert.equal(response?.status, row.status, `${ending} ${cut}: ${bytes}\n\n${received()}`);
      assert.match(response.body, row.body, row.bytes);
      rest = response.rest;
    }
    assert.equal(rest, last.status === 101 ? MESSAGES + END : '');
  }

  for (let done = 0; done < 500; done += 25) {
    await Promise.all(Array.from({ length: 25 }, (_, i) => play(SEED + done + i)));
  }
  const closed = once(server, 'close'); // After all connections.
  close();
  await closed;
  assert.doesNotMatch(mock.calls.flatMap((call) => call.arguments).join(), /failed/);
});

test('all files are served by their names, but no hidden ones, backups and folders', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'dante-assets-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const types = 'css html ico jpg JS json mjs png svg txt webp'.split(' ');
  const names = ['a~b.bin', ...types.map((type) => `a.${type}`)];
  for (const name of [...names, '.env', 'a.css~']) writeFileSync(join(folder, name), 'text');
  mkdirSync(join(folder, 'sub'));
  const link = process.platform === 'win32' ? copyFileSync : symlinkSync; // There it takes rights.
  link(join(folder, 'a.css'), join(folder, 'link.css'));
  const assets = loadAssets(folder);
  assert.deepEqual([...assets.keys()].sort(), [...names, 'link.css'].sort());
  for (const [name, { headers, body }] of assets) {
    assert.equal(String(body), 'text');
    const type = name === 'a~b.bin' ? /^application\/octet-stream;/ : /^[a-z]+\/(?!octet)/;
    assert.match(headers['Content-Type'], type, name);
  }
});

test('refused origins print one short line an hour', async (t) => {
  const { mock } = t.mock.method(console, 'error', () => {});
  const { clock, connect } = startInMemory(t);
  clock.advance(7_200_000); // Other tests have printed this line, too.
  for (const [Origin, nextMs] of [
    [`\x9b\t${'x'.repeat(15_000)}`, 3_599_000], ['http://a.example', 1000], ['http://b.example', 0],
  ] as const) {
    const socket = connect(handshake('/ws', { Origin }));
    await until(() => / 403 /.test(socket.received), 'the refusal');
    clock.advance(nextMs);
  }
  const lines = mock.calls.flatMap((call): string[] => call.arguments);
  assert.match(lines[0] ?? '', /^[^\x00-\x1f\x7f-\x9f]{100,800}$/);
  assert.match(lines[1] ?? '', / Host, .* ALLOWED_ORIGINS: .* http:..b\.example .* \(1 more/);
});

test('a client has 2 s to leave after a refusal, 60 s to read, 120 s to ask again', async (t) => {
  const { clock, connect } = startInMemory(t);
  const [page, hundred] = [plain('/'), plain('/no').repeat(100)];
  for (const [isReading, bytes, more, openMs, closedMs] of [
    [true, handshake('/no'), 'what it still sends is read', 1999, 2010],
    [false, hundred, '', 59_999, 60_000],
    [false, page.repeat(9) + handshake('/no'), '', 59_999, 60_000],
    [true, page, '', 119_999, 121_000], // Node.js may add a second.
    [false, hundred + page, '', 0, 0], // At most 100 may wait.
  ] as const) {
    const socket = connect('');
    socket.isReading = isReading;
    socket.push(bytes);
    if (closedMs > 0) await until(() => socket.received, 'the first response');
    socket.push(more);
    clock.advance(openMs);
    await turn();
    assert.deepEqual([socket.readableLength, socket.destroyed], [0, closedMs === 0]);
    clock.advance(closedMs - openMs);
    assert.equal(socket.destroyed, true, bytes);
  }
});

const MAX = Number.MAX_SAFE_INTEGER;
for (const [total, query, from] of [
  [5, '', 2], [5, '?from=1', 2], [5, '?from=5', 5], [5, '?from=6', undefined],
  [5, '?from=4&epoch=b', 4], [5, '?from=6&epoch=b', undefined], [5, '?from=4&epoch=', 4],
  [5, '?from=9&epoch=a', 2], [5, '?from=4&epoch=a', 2], [5, '?from=x&epoch=a', undefined],
  [Infinity, `?from=${MAX}`, MAX], [Infinity, `?from=${MAX + 1}`, undefined],
] as const) {
  const outcome = from === undefined ? 'refuses' : `says hello and begins at ${from} for`;
  test(`a stream of ${total} messages with an origin ${outcome} ws${query}`, async (t) => {
    const target = `/ws${query}`;
    const begun: unknown[] = [];
    const { connect } = startInMemory(t, {
      total,
      origin: ({ url }) => ({ epoch: url === target ? 'b' : 'other', earliest: 2 }),
      begin: (_, at, { url }) => void begun.push(at, url),
    });
    const socket = connect(handshake(target));
    const hello = JSON.stringify({ epoch: 'b', from, total });
    const range = total === Infinity ? '' : ` from 0 to ${total}`;
    const last = from === undefined ? `", not a whole number${range}.\n`
      : `\r\n\r\n\x82${String.fromCharCode(hello.length)}${hello}`;
    await until(() => socket.received.endsWith(last), last);
    assert.deepEqual(begun, from === undefined ? [] : [from, target]);
  });
}
