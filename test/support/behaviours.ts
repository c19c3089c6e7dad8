/** The behaviours that every way of hosting must show. `npm run check` tries all of them. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectTo, exchange, handshake, request } from './raw.js';
import { openReader, type Reader } from './reader.js';
import { until } from './until.js';

/** The address of the page, the longest wait for a response or message, pauses between requests. */
export interface Site { url: URL; timeoutMs: number; pausesMs: number[] }

/** A name, what to do if it does not hold, and a check that throws what it expected and saw. */
type Behaviour = [name: string, hint: string, check: (site: Site) => Promise<string | void>];

const below = ({ url }: Site, name: string) => new URL(name, new URL('server-faye.js/', url));

/** Sends a request, or with the method UPGRADE a handshake, to the page or to what is below it. */
export function ask(site: Site, method: string, name = '', headers = {}) {
  const { pathname, search, host: Host } = below(site, name);
  const line = [pathname + search, { Host, ...headers }] as const;
  const text = method === 'UPGRADE' ? handshake(...line) : request(...line, method);
  return exchange(site.url, text, { ...site, keep: true });
}

const open = (site: Site, from = 0): Reader =>
  openReader(below(site, `ws?from=${from}`).href.replace('http', 'ws'));

/** Waits for message `count`. Throws if the connection ends before it. */
async function hear(site: Site, reader: Reader, count: number): Promise<Reader> {
  const { messages, code } = reader;
  for (let i = 1; i <= count; i += 1) {
    await until(() => messages.length >= i || code(), `message ${i}`, site.timeoutMs);
  }
  assert.ok(messages.length >= count, `Saw the end with ${code()} too early.`);
  return reader;
}

/** Hears what follows the first `from` of `count` messages, to the close. */
async function hearRest(site: Site, from: number, count: number): Promise<void> {
  const { messages, code } = await hear(site, open(site, from), count - from);
  assert.equal(await until(code, 'the close', site.timeoutMs), 1000);
  assert.equal(messages.length, count - from);
}

/** The number of messages of the stream, or Infinity, as the server's own refusal says. */
async function countMessages(site: Site): Promise<number> {
  const { status, body } = await ask(site, 'UPGRADE', 'ws?from=x');
  const count = Number(/^from is "x", .* from 0 to (\d+)\.\n$/.exec(body)?.[1]);
  assert.ok(count >= 0, `Expected a 400 that says what from may be, saw ${status}: ${body}`);
  return count === Number.MAX_SAFE_INTEGER ? Infinity : count;
}

async function expectServed(site: Site, times = 1): Promise<void> {
  const responses = Array.from({ length: times }, () => ask(site, 'GET', 'client.js'));
  for (const { status } of await Promise.all(responses)) assert.equal(status, 200);
}

type Refusal = [[method: string, name: string, headers?: object], status: number, body: RegExp];
const REFUSALS: Refusal[] = [
  [['GET', 'missing.js'], 404, /^Not found/],
  [['POST', '', { 'Content-Length': '0' }], 405, /^POST is not allowed/],
  [['GET', 'ws'], 426, /^This is a WebSocket stream/],
  [['UPGRADE', 'wsx'], 404, /^Not found/],
  [['UPGRADE', 'ws', { 'Sec-WebSocket-Version': '8' }], 426, /version 13/],
  [['UPGRADE', 'ws?from=-1'], 400, /^from is "-1"/],
  [['UPGRADE', 'ws?from=x'], 400, /^from is "x"/],
  [['UPGRADE', 'ws', { Origin: 'https://stranger.example' }], 403, /^Pages of https:/],
];

const POOL = 'Something in front reuses closed connections. For IIS, see src/iisnode.ts.';
const UPGRADE = 'A proxy in front must pass Upgrade, Connection and Host on unchanged.';
const BUFFER = 'Something in front buffers or compresses. In IIS, turn urlCompression off.';
const LIMIT = 'Something in front limits connections. Windows 10 and 11 serve ten at a time.';
const FOLDER = 'web.config is not in force: make this folder the application of IIS.';
const SENTENCE = 'Something in front replaces the responses to errors.';

/** The last one takes as long as the whole stream. */
export const behaviours: Behaviour[] = [
  ['the page and its files have their headers, and 304 follows an ETag', FOLDER, async (site) => {
    const types = { 'index.html': 'html', 'style.css': 'css', 'client.js': 'javascript' };
    for (const [name, type] of Object.entries(types)) {
      const { status, headers } = await ask(site, 'GET', name);
      assert.equal(status, 200);
      assert.equal(headers['content-type'], `text/${type}; charset=utf-8`);
      assert.equal(headers['cache-control'], 'no-cache');
      assert.match(headers['content-security-policy'] ?? '', /^default-src 'self';/);
      const known = { 'If-None-Match': headers['etag'] };
      assert.equal((await ask(site, 'GET', name, known)).status, 304);
    }
    const [page, index] = [await ask(site, 'GET'), await ask(site, 'GET', 'index.html')];
    assert.equal(page.body, index.body);
    assert.equal((await ask(site, 'HEAD')).status, 200);
  }],
  ['page and stream have as many messages', 'Set max in public/index.html.', async (site) => {
    const max = /<progress [^>]*\bmax="(\d+)"/.exec((await ask(site, 'GET')).body)?.[1];
    const count = await countMessages(site);
    assert.equal(Number(max ?? Infinity), count);
    return `${count}`;
  }],
  ['the first message comes at once, the next ones at an even pace', BUFFER, async (site) => {
    const count = Math.min(3, await countMessages(site));
    // A host that buffers does so every time, a busy machine does not.
    for (let attempt = 1; ; attempt += 1) {
      const reader = open(site);
      const start = await reader.opened.then(() => performance.now());
      await hear(site, reader, 1);
      if (reader.messages[0] === '') return 'the stream is quiet';
      const { times, socket } = await hear(site, reader, count);
      socket.close();
      const [first = 0, ...gaps] = times.map((time, i) => time - (times[i - 1] ?? start));
      const [least, most] = [Math.min(...gaps), Math.max(...gaps)];
      const isEven = count < 3 || most - least < least / 4 + 500;
      if (first < 1000 && isEven) return `every ${Math.round(least)} ms`;
      const seen = [first, ...gaps].map(Math.round).join(', ');
      assert.ok(attempt < 3, `Expected an even pace, saw gaps of ${seen} ms.`);
    }
  }],
  ['from=N starts with message N+1, and 1000 follows the last', UPGRADE, async (site) => {
    const count = await countMessages(site);
    if (count === Infinity) return void (await hear(site, open(site, 1000), 1));
    for (const from of [count - 1, count]) await hearRest(site, from, count);
    if (count < 2) return;
    const [second, whole] = [await hear(site, open(site, 1), 1), await hear(site, open(site), 2)];
    assert.equal(second.messages[0], whole.messages[1]);
    for (const { socket } of [whole, second]) socket.close();
  }],
  ['a refusal has its status and sentence', SENTENCE, async (site) => {
    for (const [request, status, body] of REFUSALS) {
      const seen = await ask(site, ...request);
      assert.equal(seen.status, status);
      assert.match(seen.body, body);
    }
  }],
  ['after 160 refusals the next requests get their responses', POOL, async (site) => {
    const refuse = ([request]: Refusal) => ask(site, ...request).then(() => expectServed(site));
    for (let i = 0; i < 10; i += 1) {
      for (const refusal of REFUSALS) await refuse(refusal);
      await Promise.all(REFUSALS.map(refuse));
    }
  }],
  ['Connection: keep-alive, Upgrade opens the stream: older Firefoxes', UPGRADE, async (site) => {
    const Connection = 'keep-alive, Upgrade';
    assert.equal((await ask(site, 'UPGRADE', 'ws', { Connection })).status, 101);
    assert.equal((await ask(site, 'UPGRADE', 'ws?from=x', { Connection })).status, 400);
  }],
  ['a ping gets its pong', UPGRADE, async (site) => {
    const { socket, code } = open(site);
    let isPonged = false;
    socket.ping('there?', () => (isPonged = true));
    await until(() => isPonged || code() === 1000, 'the pong', site.timeoutMs);
    socket.close();
  }],
  ['a message over 1 KiB closes with 1009, a shorter one is ignored', UPGRADE, async (site) => {
    const { socket, messages, code } = open(site);
    for (const length of [1024, 1025]) socket.send('x'.repeat(length));
    const seen = await until(code, 'the close', site.timeoutMs);
    const isOver = seen === 1000 && messages.length === (await countMessages(site));
    if (!isOver) assert.equal(seen, 1009);
  }],
  ['20 readers that vanish do no harm', UPGRADE, async (site) => {
    const text = handshake(below(site, 'ws').pathname, { Host: site.url.host });
    for (let i = 0; i < 20; i += 1) {
      const socket = connectTo(site.url).on('error', () => {}); // A reset may come back.
      await new Promise((resolve) => socket.write(i % 2 ? text : text.slice(0, 40), resolve));
      if (site.url.protocol === 'http:') socket.resetAndDestroy();
      else socket.destroy();
    }
    const { socket } = await hear(site, open(site), 1);
    socket.close();
  }],
  ['50 readers at once all hear the stream', LIMIT, async (site) => {
    const readers = Array.from({ length: 50 }, () => hear(site, open(site), 1));
    for (const { socket } of await Promise.all(readers)) socket.close();
  }],
  ['requests after a pause get their responses', POOL, async (site) => {
    for (const pauseMs of [0, ...site.pausesMs]) {
      await sleep(pauseMs);
      await expectServed(site, 10);
    }
  }],
  ['nothing else of the folder is served', FOLDER, async (site): Promise<string | void> => {
    const [, folder] = /^(.+\/)server-faye\.js\/?$/i.exec(site.url.pathname) ?? [];
    if (!folder) return 'only under IIS';
    for (const name of [
      './', 'package.json', 'web.config', 'README.md', 'setup.bat', 'src/app.ts', 'dist/server.js',
      'iisnode/index.html', 'node_modules/faye-websocket/package.json', 'server-faye.js/debug',
    ]) {
      const { status } = await ask(site, 'GET', folder + name);
      assert.ok(status === 404 || status === 403, `Expected 404 for ${name}, saw ${status}.`);
    }
  }],
  ['the stream comes to its end', UPGRADE, async (site) => {
    const count = await countMessages(site);
    if (count === Infinity) return 'it has none';
    await hearRest(site, 0, count);
    return `${count} messages`;
  }],
];
