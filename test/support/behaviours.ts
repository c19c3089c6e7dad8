/** The behaviours that every way of hosting must show. `npm run check` tries all of them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectTo, exchange, handshake, request, type RawResponse } from './raw.js';
import { openReader, type Reader } from './reader.js';
import { until } from './until.js';

/** Where dante is hosted. */
export interface Site {
  /** The address of the page; everything else is at `server-faye.js/` next to it. */
  url: URL;
  /** How long a response, or the next message, may take, in milliseconds. */
  timeoutMs: number;
  /** Pauses between requests, in milliseconds: some hosts reuse connections that are closed. */
  pausesMs: number[];
}

/** A name, what to do if it does not hold, and a check that throws what it expected and saw. */
type Behaviour = [name: string, hint: string, check: (site: Site) => Promise<string | void>];

const below = ({ url }: Site, name: string): URL =>
  new URL(name, new URL('server-faye.js/', url));

/** Sends a request to the page, or to what is below it. */
function get(site: Site, name = '', headers = {}, method = 'GET'): Promise<RawResponse> {
  const { pathname, search, host } = below(site, name);
  const text = request(pathname + search, { Host: host, ...headers }, method);
  return exchange(site.url, text, { ...site, keep: true });
}

function upgrade(site: Site, name: string, headers = {}): Promise<RawResponse> {
  const { pathname, search, host } = below(site, name);
  const text = handshake(pathname + search, { Host: host, ...headers });
  return exchange(site.url, text, { ...site, keep: true });
}

const open = (site: Site, from = 0): Reader =>
  openReader(below(site, `ws?from=${from}`).href.replace('http', 'ws'));

/** Waits for message `count`. Throws if the connection ends before it. */
async function hear(site: Site, reader: Reader, count: number): Promise<void> {
  for (let i = 1; i <= count; i += 1) {
    const isDone = (): unknown => reader.messages.length >= i || reader.code();
    await until(isDone, `message ${i}`, site.timeoutMs);
  }
  assert.ok(reader.messages.length >= count, `Saw the end with ${reader.code()} too early.`);
}

const end = (site: Site, { code }: Reader): Promise<number> =>
  until(code, 'the close', site.timeoutMs);

/** The number of messages of the stream, or Infinity, as the server's own refusal says. */
async function countMessages(site: Site): Promise<number> {
  const { status, body } = await upgrade(site, 'ws?from=x');
  const count = Number(/^from is "x", .* from 0 to (\d+)\.\n$/.exec(body)?.[1]);
  assert.ok(count >= 0, `Expected a 400 that says what from may be, saw ${status}: ${body}`);
  return count === Number.MAX_SAFE_INTEGER ? Infinity : count;
}

async function expectServed(site: Site, times = 1): Promise<void> {
  const responses = Array.from({ length: times }, () => get(site, 'client.js'));
  for (const { status } of await Promise.all(responses)) assert.equal(status, 200);
}

const POOL = 'Something in front reuses closed connections. For IIS, see src/iisnode.ts.';
const UPGRADE = 'A proxy in front must pass Upgrade, Connection and Host on unchanged.';
const BUFFER = 'Something in front buffers or compresses. In IIS, turn urlCompression off.';
const LIMIT = 'Something in front limits connections. Windows 10 and 11 serve ten at a time.';
const FOLDER = 'web.config is not in force: make this folder the application of IIS.';
const SENTENCE = 'Something in front replaces the responses to errors.';

export const behaviours: Behaviour[] = [
  ['the page and its files have their headers, and 304 follows an ETag', FOLDER, async (site) => {
    const page = await get(site);
    for (const [name, type] of [
      ['index.html', 'html'], ['style.css', 'css'], ['client.js', 'javascript'],
    ] as const) {
      const { status, headers, body } = await get(site, name);
      assert.equal(status, 200);
      if (name === 'index.html') assert.equal(body, page.body);
      assert.equal(headers['content-type'], `text/${type}; charset=utf-8`);
      assert.equal(headers['cache-control'], 'no-cache');
      assert.match(headers['content-security-policy'] ?? '', /^default-src 'self';/);
      assert.equal((await get(site, name, { 'If-None-Match': headers['etag'] })).status, 304);
    }
    assert.equal((await get(site, '', {}, 'HEAD')).status, 200);
  }],
  ['page and stream have as many messages', 'Set max in public/index.html.', async (site) => {
    const max = /<progress [^>]*\bmax="(\d+)"/.exec((await get(site)).body)?.[1];
    const count = await countMessages(site);
    assert.equal(Number(max ?? Infinity), count);
    return `${count}`;
  }],
  ['the first message comes at once, the next ones at an even pace', BUFFER, async (site) => {
    const count = Math.min(3, await countMessages(site));
    // A host that buffers does so every time, a busy machine does not.
    for (let attempt = 1; ; attempt += 1) {
      const reader = open(site);
      await reader.opened;
      const times = [performance.now()];
      await hear(site, reader, 1);
      if (reader.messages[0] === '') return 'the stream is quiet';
      await hear(site, reader, count);
      reader.socket.close();
      times.push(...reader.times);
      const [first = 0, ...gaps] = reader.times.map((time, i) => time - (times[i] ?? 0));
      const [least, most] = [Math.min(...gaps), Math.max(...gaps)];
      if (first < 1000 && (count < 3 || most - least < least / 4 + 500)) {
        return `every ${Math.round(least)} ms`;
      }
      const seen = [first, ...gaps].map(Math.round).join(', ');
      assert.ok(attempt < 3, `Expected an even pace, saw gaps of ${seen} ms.`);
    }
  }],
  ['from=N starts with message N+1, and 1000 follows the last', UPGRADE, async (site) => {
    const count = await countMessages(site);
    if (count === Infinity) return hear(site, open(site, 1000), 1);
    for (const from of [count - 1, count]) {
      const reader = open(site, from);
      assert.equal(await end(site, reader), 1000);
      assert.equal(reader.messages.length, count - from);
    }
    if (count < 2) return;
    const [whole, second] = [open(site), open(site, 1)];
    await hear(site, second, 1);
    await hear(site, whole, 2);
    assert.equal(second.messages[0], whole.messages[1]);
    for (const { socket } of [whole, second]) socket.close();
  }],
  ['a refusal has its status and sentence', SENTENCE, async (site) => {
    for (const [response, status, body] of [
      [get(site, 'missing.js'), 404, /^Not found/],
      [get(site, '', { 'Content-Length': '0' }, 'POST'), 405, /^POST is not allowed/],
      [get(site, 'ws'), 426, /^This is a WebSocket stream/],
      [upgrade(site, 'wsx'), 404, /^Not found/],
      [upgrade(site, 'ws', { 'Sec-WebSocket-Version': '8' }), 426, /version 13/],
      [upgrade(site, 'ws?from=-1'), 400, /^from is "-1"/],
      [upgrade(site, 'ws', { Origin: 'https://stranger.example' }), 403, /^Pages of https:/],
    ] as const) {
      const seen = await response;
      assert.equal(seen.status, status);
      assert.match(seen.body, body);
    }
  }],
  ['after 160 refusals the next requests get their responses', POOL, async (site) => {
    const kinds = [
      () => get(site, 'ws'),
      () => get(site, 'missing.js'),
      () => upgrade(site, 'ws', { 'Sec-WebSocket-Version': '8' }),
      () => upgrade(site, 'ws?from=x'),
    ];
    for (let i = 0; i < 20; i += 1) {
      for (const refuse of kinds) await refuse().then(() => expectServed(site));
      await Promise.all(kinds.map((refuse) => refuse().then(() => expectServed(site))));
    }
  }],
  ['Connection: keep-alive, Upgrade opens the stream: older Firefoxes', UPGRADE, async (site) => {
    const Connection = 'keep-alive, Upgrade';
    assert.equal((await upgrade(site, 'ws', { Connection })).status, 101);
    assert.equal((await upgrade(site, 'ws?from=x', { Connection })).status, 400);
  }],
  ['a ping gets its pong', UPGRADE, async (site) => {
    const { socket, opened, code } = open(site);
    await opened;
    let isPonged = false;
    socket.ping('there?', () => (isPonged = true));
    await until(() => isPonged || code() === 1000, 'the pong', site.timeoutMs);
    socket.close();
  }],
  ['a message over 1 KiB closes with 1009, a shorter one is ignored', UPGRADE, async (site) => {
    const reader = open(site);
    await reader.opened;
    reader.socket.send('x'.repeat(1024));
    reader.socket.send('x'.repeat(1025));
    const code = await end(site, reader);
    const isOver = code === 1000 && reader.messages.length === (await countMessages(site));
    if (!isOver) assert.equal(code, 1009);
  }],
  ['20 readers that vanish do no harm', UPGRADE, async (site) => {
    const text = handshake(below(site, 'ws').pathname, { Host: site.url.host });
    for (let i = 0; i < 20; i += 1) {
      const socket = connectTo(site.url).on('error', () => {}); // A reset may come back.
      await once(socket, 'connect');
      await new Promise((resolve) => socket.write(i % 2 ? text : text.slice(0, 40), resolve));
      if (site.url.protocol === 'http:') socket.resetAndDestroy();
      else socket.destroy();
    }
    const reader = open(site);
    await hear(site, reader, 1);
    reader.socket.close();
  }],
  ['50 readers at once all hear the stream', LIMIT, async (site) => {
    const readers = Array.from({ length: 50 }, () => open(site));
    await Promise.all(readers.map((reader) => hear(site, reader, 1)));
    for (const { socket } of readers) socket.close();
  }],
  ['requests after a pause get their responses', POOL, async (site) => {
    for (const pauseMs of site.pausesMs) {
      await expectServed(site, 10);
      await sleep(pauseMs);
      await expectServed(site, 10);
    }
  }],
  ['nothing else of the folder is served', FOLDER, async (site) => {
    const [, folder] = /^(.+\/)server-faye\.js\/?$/i.exec(site.url.pathname) ?? [];
    if (!folder) return 'only under IIS';
    for (const name of [
      './', 'package.json', 'web.config', 'README.md', 'setup.bat', 'src/app.ts', 'dist/server.js',
      'iisnode/index.html', 'node_modules/faye-websocket/package.json', 'server-faye.js/debug',
    ]) {
      const { status } = await get(site, folder + name);
      assert.ok(status === 404 || status === 403, `Expected 404 for ${name}, saw ${status}.`);
    }
    return undefined;
  }],
];

/** The whole stream, which takes its time. */
export const whole: Behaviour = ['the stream comes to its end', UPGRADE, async (site) => {
  const count = await countMessages(site);
  if (count === Infinity) return 'it has none';
  const reader = open(site);
  await hear(site, reader, count);
  assert.equal(await end(site, reader), 1000);
  assert.equal(reader.messages.length, count);
  return `${count} messages`;
}];
