import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createApp } from '../dist/app.js';
import { openReader } from './support/reader.js';
import { connectTo, exchange, handshake } from './support/raw.js';
import { until, within } from './support/until.js';

const STANZAS = ['one', 'two'];
type App = ReturnType<typeof createApp>;

const PUBLIC = join(__dirname, '..', 'public');

/** An interval long enough that nobody comes to the end of it, if there is one. */
async function listen(): Promise<{ app: App; port: number }> {
  const allowedOrigins = new Set(['https://friend.example']);
  const app = createApp(STANZAS, { listen: { port: 0 }, intervalMs: 60_000, allowedOrigins });
  app.server.listen(0, '127.0.0.1');
  await once(app.server, 'listening');
  return { app, port: (app.server.address() as AddressInfo).port }; // As it listens on a port.
}

describe('app', { timeout: 60_000 }, () => {
  let app: App;
  let port: number;
  before(async () => ({ app, port } = await listen()));
  after(() => app.close());

  const get = (target: string, headers: Record<string, string> = {}, method = 'GET') => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return exchange(
      port,
      `${method} ${target} HTTP/1.1\r\nHost: dante.example\r\nConnection: close\r\n${lines.join('')}\r\n`,
    );
  };

  describe('files', () => {
    const page = readFileSync(join(PUBLIC, 'index.html'), 'utf8');

    for (const target of [
      '/',
      '/?x=/ws',
      '/index.html',
      '/server-faye.js',
      '/server-faye.js/',
      '/dante/server-faye.js',
      '/dante/Server-Faye.js',
      '/a/b/c/server-faye.js?x=1',
      '/server-faye.js/server-faye.js',
      'http://dante.example',
      'http://dante.example/dante/server-faye.js',
    ]) {
      test(`GET ${target} answers the page`, async () => {
        const { status, headers, body } = await get(target);
        assert.equal(status, 200);
        assert.equal(headers['content-type'], 'text/html; charset=utf-8');
        assert.equal(body, page);
      });
    }

    for (const name of readdirSync(PUBLIC)) {
      test(`${name} is there at the root and below the mount, with all its headers`, async () => {
        const file = readFileSync(join(PUBLIC, name), 'utf8');
        for (const target of [`/${name}`, `/dante/server-faye.js/${name}?v=1`]) {
          const { status, headers, body } = await get(target);
          assert.equal(status, 200);
          assert.equal(body, file);
          assert.match(headers['content-type'] ?? '', /^[a-z]+\/[a-z+]+; charset=utf-8$/);
          assert.equal(headers['content-length'], String(Buffer.byteLength(file)));
          assert.match(headers['etag'] ?? '', /^"[\w-]+"$/);
          assert.equal(headers['cache-control'], 'no-cache');
          assert.equal(headers['x-content-type-options'], 'nosniff');
          assert.equal(headers['referrer-policy'], 'no-referrer');
          assert.match(headers['content-security-policy'] ?? '', /^default-src 'self'(; [a-z-]+ '(self|none)')*$/);
        }
      });
    }

    test('HEAD answers the same headers without the body', async () => {
      const { headers, ...answer } = await get('/');
      const head = await get('/', {}, 'HEAD');
      assert.deepEqual({ ...head.headers, date: '' }, { ...headers, date: '' });
      assert.equal(head.status, answer.status);
      assert.equal(head.body, '');
    });

    test('If-None-Match is answered with 304 when the tag is in it, weak or strong, and for *', async () => {
      const etag = (await get('/')).headers['etag'] ?? '';
      for (const tags of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
        const { status, headers, body } = await get('/', { 'If-None-Match': tags });
        assert.equal(status, 304);
        assert.equal(headers['etag'], etag);
        assert.equal(headers['cache-control'], 'no-cache');
        assert.equal(body, '');
      }
      for (const tags of ['"other"', etag.replaceAll('"', ''), '']) {
        assert.equal((await get('/', { 'If-None-Match': tags })).status, 200);
      }
    });

    for (const target of ['/missing.js', '/dante/', '/dante/ws', '/server-faye.jsx', '/server-faye.jsstyle.css', '/server-faye.jsxstyle.css', '/x/style.css', '/ws/', '/wsx', '/STYLE.CSS', '/server-faye.js/ws/x', '*']) {
      test(`GET ${target} is a 404 in one sentence`, async () => {
        const { status, headers, body } = await get(target);
        assert.equal(status, 404);
        assert.equal(headers['content-type'], 'text/plain; charset=utf-8');
        assert.equal(headers['x-content-type-options'], 'nosniff');
        assert.match(body, /^There is nothing here: [^\n]+\.\n$/);
      });
    }

    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND']) {
      test(`${method} is a 405 that names what is allowed`, async () => {
        const { status, headers, body } = await get('/', {}, method);
        assert.equal(status, 405);
        assert.equal(headers['allow'], 'GET, HEAD');
        assert.equal(body, `${method} is not allowed, GET and HEAD are.\n`);
      });
    }

    test('no path reaches a file outside public/', async () => {
      const ups = ['..', '%2e%2e', '.%2e', '%252e%252e', '....', '%c0%ae%c0%ae', '..;', '..%00'];
      const slashes = ['/', '//', '%2f', '%252f', '\\', '%5c', '/./'];
      const files = ['package.json', 'dist/server.js', 'etc/passwd', 'index.html%00.js', 'public/index.html'];
      const targets = ['//etc/passwd', '/etc/passwd', '/C:/Windows/win.ini', '/file:///etc/passwd', '/\\\\host\\share', '/__proto__', '/constructor', '/toString', '/index.html%00', '/index.html::$DATA', '/index.html.', '/./index.html', '/%69ndex.html'];
      for (const up of ups) {
        for (const slash of slashes) {
          for (const file of files) {
            targets.push(`/${up}${slash}${file}`, `/server-faye.js/${up}${slash}${up}${slash}${file}`);
          }
        }
      }
      const answers = await Promise.all(targets.map(async (target) => [target, await get(target)] as const));
      for (const [target, { status, body }] of answers) {
        assert.equal(status, 404, target);
        assert.match(body, /^There is nothing here/, target);
      }
      // A raw NUL is not even HTTP.
      assert.equal((await get('/index.html\0')).status, 400);
    });
  });

  describe('upgrades to something else', () => {
    for (const upgrade of ['h2c', 'TLS/1.0', 'foo', 'websocket2']) {
      test(`${upgrade} is answered as the plain request it also is`, async () => {
        const changes = { Upgrade: upgrade, Connection: 'Upgrade, HTTP2-Settings', 'HTTP2-Settings': 'AAMAAABk' };
        const page = await exchange(port, handshake('/', changes));
        assert.equal(page.status, 200);
        assert.equal(page.headers['connection'], 'close');
        assert.equal(page.body, readFileSync(join(PUBLIC, 'index.html'), 'utf8'));
        assert.equal((await exchange(port, handshake('/no', changes))).status, 404);
        assert.equal((await exchange(port, handshake('/ws', changes))).status, 426);
        assert.equal((await exchange(port, handshake('/', changes, 'POST'))).status, 405);
        assert.equal((await exchange(port, handshake('/', changes, 'HEAD'))).body, '');
      });
    }

    test('a body that comes with it does not cut the answer off', async () => {
      const head = handshake('/', { Upgrade: 'h2c', 'Content-Length': '20000000' }, 'POST');
      const { status, body } = await exchange(port, head + 'x'.repeat(20_000_000), { readLate: true });
      assert.equal(status, 405);
      assert.equal(body, 'POST is not allowed, GET and HEAD are.\n');
    });
  });

  describe('stream', () => {
    test('the first message comes with the answer to the handshake, and the close with 4001 at shutdown', async (t) => {
      const { app: closing, port: place } = await listen();
      t.after(() => closing.close());
      for (const path of ['/ws', '/dante/server-faye.js/ws', '/ws?from=0', '/ws?x=1']) {
        const reader = openReader(`ws://127.0.0.1:${place}${path}`);
        await once(reader.socket, 'message');
        assert.equal(reader.messages.length, 1);
        if (path === '/ws?x=1') closing.close();
        else reader.socket.close();
        assert.equal((await reader.closed).code, path === '/ws?x=1' ? 4001 : 1000);
      }
    });

    test('takes the origin of its own host, of a friend, and none', async () => {
      for (const Origin of ['http://dante.example', 'https://dante.example', 'https://friend.example', undefined]) {
        assert.equal((await exchange(port, handshake('/ws', { Origin }), { whole: true })).status, 101);
      }
    });

    test('what a client says is ignored up to 1 KiB; more closes with 1009', async () => {
      const { opened, socket, closed } = openReader(`ws://127.0.0.1:${port}/ws`);
      await opened;
      socket.send('x'.repeat(1024));
      socket.send(Buffer.alloc(1024));
      await new Promise<void>((resolve) => socket.ping('still there?', resolve));
      socket.send('x'.repeat(1025));
      assert.equal((await closed).code, 1009);
    });

    test('whoever hangs up is forgotten', async () => {
      const reader = openReader(`ws://127.0.0.1:${port}/ws`);
      await reader.opened;
      reader.socket.close(1000);
      assert.equal((await reader.closed).code, 1000);
    });
  });

  describe('refusals', () => {
    const rows: [string, string, Record<string, string | undefined>, number, RegExp][] = [
      ['a wrong path', '/wsx', {}, 404, /^There is nothing here: /],
      ['the page', '/', {}, 404, /^There is nothing here: /],
      ['the page under the mount', '/dante/server-faye.js', {}, 404, /^There is nothing here: /],
      ['a file', '/style.css', {}, 404, /^There is nothing here: /],
      ['version 8', '/ws', { 'Sec-WebSocket-Version': '8' }, 426, /version 13/],
      ['version 14', '/ws', { 'Sec-WebSocket-Version': '14' }, 426, /version 13/],
      ['versions in a row', '/ws', { 'Sec-WebSocket-Version': '13, 8' }, 426, /version 13/],
      ['no version', '/ws', { 'Sec-WebSocket-Version': undefined }, 426, /version 13/],
      ['no key', '/ws', { 'Sec-WebSocket-Key': undefined }, 426, /version 13/],
      ['an empty key', '/ws', { 'Sec-WebSocket-Key': '' }, 426, /version 13/],
      ['a key of 15 bytes', '/ws', { 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAA' }, 426, /version 13/],
      ...['-1', '1.5', 'abc', '', '1e0', '0x1', '%201', '3%0d%0a', '99999999999999999999', '3?'].map(
        (from): [string, string, Record<string, string>, number, RegExp] => [
          `from=${from}`,
          `/ws?from=${from}`,
          {},
          400,
          /^from is ".*", but takes a whole number from 0 to \d+\.\n$/,
        ],
      ),
      ['a stranger', '/ws', { Origin: 'https://stranger.example' }, 403, /https:\/\/stranger\.example/],
      ['the null origin', '/ws', { Origin: 'null' }, 403, /^Pages of null /],
      ['another port', '/ws', { Origin: 'http://dante.example:8080' }, 403, /8080/],
      ['an origin that only begins alike', '/ws', { Origin: 'http://dante.example.evil' }, 403, /evil/],
    ];
    for (const [name, target, changes, status, sentence] of rows) {
      test(`${name} is refused with ${status}, a whole answer, and the socket closes`, async () => {
        const answer = await exchange(port, handshake(target, changes));
        assert.equal(answer.status, status);
        assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8');
        assert.equal(answer.headers['content-length'], String(Buffer.byteLength(answer.body)));
        // As iisnode looks at the end of it alone.
        assert.match(answer.headers['connection'] ?? '', /\bclose$/);
        assert.equal(answer.headers['sec-websocket-version'], status === 426 ? '13' : undefined);
        assert.equal(answer.headers['upgrade'], status === 426 ? 'websocket' : undefined);
        assert.match(answer.body, sentence);
        assert.match(answer.body, /^[^\n]+\.\n$/);
      });
    }

    test('a plain GET of the stream is told to upgrade', async () => {
      const { status, headers, body } = await get('/dante/server-faye.js/ws?from=3');
      assert.equal(status, 426);
      assert.equal(headers['upgrade'], 'websocket');
      assert.match(body, /^This is a WebSocket stream: /);
      assert.equal((await get('/ws', {}, 'HEAD')).status, 426);
    });

    test('a POST that asks for a websocket is a 405', async () => {
      assert.equal((await exchange(port, handshake('/ws', {}, 'POST'))).status, 405);
    });

    for (const [name, text] of [
      ['a handshake', handshake()],
      ['the stream', 'GET /ws HTTP/1.1\r\nHost: dante.example\r\n\r\n'],
      ['the page', 'GET / HTTP/1.1\r\nHost: dante.example\r\n\r\n'],
      ['h2c', handshake('/', { Upgrade: 'h2c' })],
    ] as const) {
      test(`while shutting down, ${name} over an open connection is answered with 503, which closes it`, async (t) => {
        const { app: closing, port: place } = await listen();
        t.after(() => closing.close());
        const socket = connectTo(place);
        t.after(() => socket.destroy());
        let answer = '';
        socket.on('data', (chunk) => (answer += chunk.toString()));
        // Not idle, or it would be closed: half of the request is there already.
        socket.write(text.slice(0, 20));
        const [peer] = await once(closing.server, 'connection');
        await until(() => peer.bytesRead === 20, 'the server to read');
        closing.close();
        socket.write(text.slice(20));
        await once(socket, 'close');
        assert.match(answer, /^HTTP\/1\.1 503 /);
        assert.match(answer, /\r\nConnection: close\r\n[^]*\r\n\r\nShutting down: come back shortly\.\n$/);
      });
    }

    test('shutting down closes idle connections at once, whatever the Node', async (t) => {
      const { app: closing, port: place } = await listen();
      t.after(() => closing.close());
      const socket = connectTo(place);
      t.after(() => socket.destroy());
      socket.write('GET /favicon.svg HTTP/1.1\r\nHost: dante.example\r\n\r\n');
      await once(socket, 'data');
      // The server has to be done with its answer as well.
      await new Promise((resolve) => setTimeout(resolve, 50));
      const closedAt = performance.now();
      closing.close();
      await once(socket, 'close');
      assert.ok(performance.now() - closedAt < 3000, 'it waited for the keep-alive timeout');
    });

    test('one that goes on sending is let go after two seconds all the same', async (t) => {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      t.after(() => socket.destroy());
      socket.on('error', () => {}); // It is reset in the end.
      socket.write(handshake('/no'));
      await once(socket.resume(), 'end');
      const drip = setInterval(() => socket.write('x'), 100);
      t.after(() => clearInterval(drip));
      await within(new Promise((resolve) => socket.once('close', resolve)), 'the end', 10_000);
    });

    test('a handshake with a body is answered as a plain request, the same on every Node', async () => {
      for (const [changes, body] of [[{ 'Content-Length': '5' }, 'hello'], [{ 'Transfer-Encoding': 'chunked' }, '5\r\nhello\r\n0\r\n\r\n']] as const) {
        assert.equal((await exchange(port, handshake('/ws', changes) + body)).status, 426);
        assert.equal((await exchange(port, handshake('/', changes) + body)).status, 200);
      }
    });

    test('a client that resets in the middle of any of it costs nothing', async () => {
      for (const text of [handshake(), handshake('/no'), handshake('/', { Upgrade: 'h2c' }), handshake().slice(0, 60)]) {
        for (let i = 0; i < 10; i += 1) {
          const socket = connectTo(port);
          socket.on('error', () => {}); // The reset may come back to us.
          await once(socket, 'connect');
          socket.write(text);
          if (i % 2) await new Promise(setImmediate);
          socket.resetAndDestroy();
        }
      }
      assert.equal((await get('/')).status, 200);
    });
  });
});
