/** What holds however dante is hosted, seen from outside: one list, run against every way of hosting. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectTo, exchange, handshake, type RawAnswer } from './raw.js';
import { openReader, type Reader } from './reader.js';
import { within } from './until.js';

/** Where dante is hosted, and how long it may be tried. */
export interface Site {
  /** The address of the page; everything else is below `server-faye.js` beside it. */
  url: URL;
  /** How long an answer, or the next message, may take. */
  timeoutMs: number;
  /** For how long the server is left alone before it is asked again, each in milliseconds. */
  silencesMs: number[];
}

export interface Behaviour {
  name: string;
  /** The row of README.md's tables that helps where it does not hold. */
  help: string;
  /** Whether it can be tried there; if left out, everywhere. */
  applies?(site: Site): boolean;
  /** Throws what was expected and seen. Resolves with a detail worth telling, or nothing. */
  check(site: Site): Promise<string | void>;
}

/** A site of the tests' own, on this machine. */
export const siteAt = (port: number, path = '/'): Site => ({
  url: new URL(path, `http://127.0.0.1:${port}`),
  timeoutMs: 20_000,
  silencesMs: [50],
});

const below = ({ url }: Site, name: string): URL => new URL(`server-faye.js/${name}`, url);

/** Sends one request, on a connection of its own, and resolves with its answer. */
const ask = (site: Site, { pathname, search }: URL, method = 'GET', headers = {}): Promise<RawAnswer> => {
  const lines = { Host: site.url.host, 'Content-Length': method === 'POST' ? '0' : undefined, ...headers };
  const plain = { Connection: undefined, Upgrade: undefined, 'Sec-WebSocket-Version': undefined, 'Sec-WebSocket-Key': undefined };
  const text = handshake(pathname + search, { ...plain, ...lines }, method);
  return exchange(site.url, text, { whole: true, timeoutMs: site.timeoutMs });
};

const shake = (site: Site, { pathname, search }: URL, changes = {}): Promise<RawAnswer> =>
  exchange(site.url, handshake(pathname + search, { Host: site.url.host, ...changes }), {
    whole: true,
    timeoutMs: site.timeoutMs,
  });

const read = (site: Site, from: number, headers = {}): Reader => {
  const url = below(site, `ws?from=${from}`);
  url.protocol = url.protocol.replace('http', 'ws');
  return openReader(url.href, headers);
};

/** Waits for so many messages. Throws if the connection ends before them. */
async function heard(site: Site, reader: Reader, count: number): Promise<void> {
  const arrived = (async () => {
    while (reader.messages.length < count) await sleep(1);
  })();
  const ended = reader.closed.then(({ code }) => {
    if (reader.messages.length < count) throw new Error(`Expected message ${count}, saw the end with ${code}.`);
  });
  await within(Promise.race([arrived, ended]), `message ${count}`, site.timeoutMs);
}

const closed = (site: Site, reader: Reader): ReturnType<typeof within<{ code: number; reason: string }>> =>
  within(reader.closed, 'the close', site.timeoutMs);

/** How many messages the stream has, as its refusals tell, or Infinity. */
async function countMessages(site: Site): Promise<number> {
  const { status, body } = await shake(site, below(site, 'ws?from=x'));
  const last = /^from is "x", but takes a whole number from 0 to (\d+)\.\n$/.exec(body)?.[1];
  assert.ok(last !== undefined, `Expected a 400 that says what from takes, saw ${status}: ${body}`);
  return Number(last) === Number.MAX_SAFE_INTEGER ? Infinity : Number(last);
}

const assertServed = async (site: Site, times = 1): Promise<void> => {
  const answers = Array.from({ length: times }, () => ask(site, below(site, 'client.js')));
  for (const { status } of await Promise.all(answers)) assert.equal(status, 200);
};

export const behaviours: Behaviour[] = [
  {
    name: 'the page and its files are there, with their headers, and 304 for who has them',
    help: '404 for every other file of the folder',
    async check(site) {
      const page = await ask(site, site.url);
      assert.equal(page.status, 200);
      for (const [name, type] of [
        ['index.html', 'text/html; charset=utf-8'],
        ['style.css', 'text/css; charset=utf-8'],
        ['client.js', 'text/javascript; charset=utf-8'],
        ['reading.js', 'text/javascript; charset=utf-8'],
      ] as const) {
        const { status, headers, body } = await ask(site, below(site, name));
        assert.equal(status, 200);
        if (name === 'index.html') assert.equal(body, page.body);
        assert.equal(headers['content-type'], type);
        assert.equal(headers['content-length'], String(Buffer.byteLength(body)));
        assert.equal(headers['cache-control'], 'no-cache');
        assert.equal(headers['x-content-type-options'], 'nosniff');
        assert.match(headers['content-security-policy'] ?? '', /^default-src 'self';/);
        const again = await ask(site, below(site, name), 'GET', { 'If-None-Match': headers['etag'] });
        assert.equal(again.status, 304);
      }
      assert.equal((await ask(site, site.url, 'HEAD')).status, 200);
    },
  },
  {
    name: 'the page and the stream agree on how many messages there are',
    help: 'the page ends too early, or comes back after the end',
    async check(site) {
      const { body } = await ask(site, site.url);
      const max = /<progress [^>]*\bmax="(\d+)"/.exec(body)?.[1];
      const count = await countMessages(site);
      assert.equal(max === undefined ? Infinity : Number(max), count);
      return count === Infinity ? 'without end' : `${count}`;
    },
  },
  {
    name: 'the first message comes at once, the next at an even pace',
    help: 'the stanzas come in heaps',
    async check(site) {
      const count = Math.min(3, await countMessages(site));
      // What heaps messages does so every time; a machine that is busy does not.
      for (let attempt = 1; ; attempt += 1) {
        const reader = read(site, 0);
        await within(reader.opened, 'the handshake', site.timeoutMs);
        const openedAt = performance.now();
        await heard(site, reader, count);
        reader.socket.close();
        const [first = NaN, ...rest] = reader.times;
        const gaps = rest.map((time, i) => time - (reader.times[i] ?? NaN));
        const [least, most] = [Math.min(...gaps), Math.max(...gaps)];
        if (first - openedAt < 1000 && (gaps.length === 0 || most - least < least / 4 + 500)) {
          return gaps.length > 0 ? `every ${Math.round((least + most) / 2)} ms` : undefined;
        }
        const seen = `the first after ${Math.round(first - openedAt)} ms, the next after ${gaps.map(Math.round).join(' and ')} ms`;
        if (attempt === 3) throw new Error(`Expected the first message at once and an even pace, saw ${seen}.`);
      }
    },
  },
  {
    name: 'a reader that comes back with from=N hears message N+1 first, and after the last 1000',
    help: '`The server refuses the connection` on the page',
    async check(site) {
      const count = await countMessages(site);
      if (count === Infinity) return heard(site, read(site, 1000), 1);
      for (const from of [count - 1, count]) {
        const reader = read(site, from);
        assert.deepEqual(await closed(site, reader), { code: 1000, reason: '' });
        assert.equal(reader.messages.length, count - from);
      }
      if (count < 2) return;
      const [whole, second] = [read(site, 0), read(site, 1)];
      await heard(site, second, 1);
      await heard(site, whole, 2);
      assert.equal(second.messages[0], whole.messages[1]);
      whole.socket.close();
      second.socket.close();
    },
  },
  {
    name: 'what is refused is refused in our own words',
    help: '`The server refuses the connection` on the page',
    async check(site) {
      const refused = async (answer: Promise<RawAnswer>, status: number, words: RegExp): Promise<void> => {
        const seen = await answer;
        assert.equal(seen.status, status);
        assert.match(seen.body, words);
      };
      await refused(ask(site, below(site, 'missing.js')), 404, /^There is nothing here: /);
      await refused(ask(site, site.url, 'POST'), 405, /^POST is not allowed, GET and HEAD are/);
      await refused(ask(site, below(site, 'ws')), 426, /^This is a WebSocket stream/);
      await refused(shake(site, below(site, 'wsx')), 404, /^There is nothing here: /);
      await refused(shake(site, below(site, 'ws'), { 'Sec-WebSocket-Version': '8' }), 426, /version 13/);
      await refused(shake(site, below(site, 'ws?from=-1')), 400, /^from is "-1", but takes /);
      const Origin = 'https://stranger.example';
      await refused(shake(site, below(site, 'ws'), { Origin }), 403, /^Pages of https:\/\/stranger\.example may not/);
    },
  },
  {
    name: 'after twenty refusals of each kind the next requests are answered as always, alone and four at a time',
    help: 'HTTP 500 now and then, after somebody else was refused',
    async check(site) {
      const kinds = [
        () => ask(site, below(site, 'ws')),
        () => ask(site, below(site, 'missing.js')),
        () => shake(site, below(site, 'ws'), { 'Sec-WebSocket-Version': '8' }),
        () => shake(site, below(site, 'ws?from=x')),
      ];
      for (let i = 0; i < 20; i += 1) {
        for (const refuse of kinds) {
          await refuse();
          await assertServed(site);
        }
        await Promise.all(kinds.map((refuse) => refuse().then(() => assertServed(site))));
      }
    },
  },
  {
    name: 'a handshake as older Firefoxes send it is one: Connection: keep-alive, Upgrade',
    help: 'Firefox of 2025 and before cannot connect under IIS',
    async check(site) {
      const Connection = 'keep-alive, Upgrade';
      assert.equal((await shake(site, below(site, 'ws'), { Connection })).status, 101);
      assert.equal((await shake(site, below(site, 'ws?from=x'), { Connection })).status, 400);
      assert.equal((await shake(site, below(site, 'wsx'), { Connection })).status, 404);
    },
  },
  {
    name: 'a ping is answered',
    help: 'the stanzas come in heaps',
    async check(site) {
      const reader = read(site, 0);
      await within(reader.opened, 'the handshake', site.timeoutMs);
      const pong = new Promise<void>((resolve) => reader.socket.ping('there?', resolve));
      // A list of one is told to its end with the handshake.
      const end = reader.closed.then(({ code }) => assert.equal(code, 1000));
      await within(Promise.race([pong, end]), 'the pong', site.timeoutMs);
      reader.socket.close();
    },
  },
  {
    name: 'a message over 1 KiB closes with 1009, a smaller one is ignored',
    help: 'the stanzas come in heaps',
    async check(site) {
      const reader = read(site, 0);
      await within(reader.opened, 'the handshake', site.timeoutMs);
      reader.socket.send('x'.repeat(1024));
      reader.socket.send('x'.repeat(1025));
      const { code } = await closed(site, reader);
      if (code === 1000 && reader.messages.length === (await countMessages(site))) return 'the stream ended before';
      assert.equal(code, 1009);
      return undefined;
    },
  },
  {
    name: '20 readers that vanish in the middle of it cost nothing',
    help: 'the pages fall silent after a deployment',
    async check(site) {
      const { pathname } = below(site, 'ws');
      const text = handshake(pathname, { Host: site.url.host });
      for (let i = 0; i < 20; i += 1) {
        const socket = connectTo(site.url);
        socket.on('error', () => {}); // The reset may come back to us.
        await within(new Promise((resolve) => socket.once('connect', resolve)), 'a connection', site.timeoutMs);
        await new Promise((resolve) => socket.write(i % 2 ? text : text.slice(0, 40), resolve));
        if (site.url.protocol === 'http:') socket.resetAndDestroy();
        else socket.destroy();
      }
      const reader = read(site, 0);
      await heard(site, reader, 1);
      reader.socket.close();
    },
  },
  {
    name: '50 readers at once are all read to',
    help: 'HTTP 503 under load',
    async check(site) {
      const readers = Array.from({ length: 50 }, () => read(site, 0));
      await Promise.all(readers.map((reader) => heard(site, reader, 1)));
      for (const { socket } of readers) socket.close();
    },
  },
  {
    name: 'requests after a silence are answered as always',
    help: 'HTTP 500 now and then, after somebody else was refused',
    async check(site) {
      for (const silenceMs of site.silencesMs) {
        await assertServed(site, 10);
        await sleep(silenceMs);
        await assertServed(site, 10);
      }
      return `${site.silencesMs.map((ms) => ms / 1000).join(', ')} s`;
    },
  },
  {
    name: 'nothing else of the folder is served',
    help: '404 for every other file of the folder',
    applies: ({ url }) => /[^/]\/server-faye\.js\/?$/i.test(url.pathname),
    async check(site) {
      for (const name of [
        './', 'package.json', 'web.config', 'README.md', 'setup.bat', 'src/app.ts', 'dist/server.js', 'public/index.html',
        'iisnode/', 'iisnode/index.html', 'node_modules/faye-websocket/package.json', 'server-faye.js/debug',
      ]) {
        const { status } = await ask(site, new URL(name, site.url));
        assert.ok(status === 404 || status === 403, `Expected 404 for ${name}, saw ${status}.`);
      }
    },
  },
];

/** The whole stream, which takes its time. */
export const whole: Behaviour = {
  name: 'the whole stream, to the end',
  help: 'the pages fall silent after a deployment',
  async check(site) {
    const count = await countMessages(site);
    if (count === Infinity) return 'it has none';
    const reader = read(site, 0);
    for (let i = 1; i <= count; i += 1) await heard(site, reader, i);
    assert.deepEqual(await closed(site, reader), { code: 1000, reason: '' });
    assert.equal(reader.messages.length, count);
    return `${count} messages, 1000`;
  },
};
