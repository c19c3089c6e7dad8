import './support/bounds.js';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp, SCRIPT } from '../dist/app.js';
import type { Stream } from '../dist/reader.js';
import { textReply, type Reply } from '../dist/reply.js';
import { createStream, listen, startApp, startInMemory } from './support/app.js';
import { exchange, handshake, openReader, request, until } from './support/client.js';

const H2C = { Upgrade: 'h2c', Connection: 'Upgrade, HTTP2-Settings' };
test('onRequest is asked first, with the decoded path below the mount', async (t) => {
  let asked = '';
  const { port } = await startApp(t, createStream(['one'], 5), ({ method }, path) => {
    asked = `${method} ${path}`;
    const isSecret = /secret|[*:]/.test(path);
    return isSecret ? textReply(401, 'Sign in.', { 'X-A': ['a', 'b'] }) : undefined;
  });
  const secret = [request(`/x/${SCRIPT}/secret`), handshake('/secret'), handshake('/secret', H2C)];
  for (const [status, wanted, ...requests] of [
    [200, 'GET /', request('/'), request(`/x/${SCRIPT}`), handshake('/', H2C)],
    [200, 'GET /client.js', request(`/${SCRIPT}/client.js?x`)],
    [404, 'GET /missing', request('/missing'), handshake('/missing')],
    [101, 'GET /ws', handshake('/ws?secret')],
    [401, 'GET /secret', ...secret, request('/%73ecret')], [401, 'GET *', request('*')],
    [401, 'HEAD /secret', request('/secret', { method: 'HEAD' })],
    [401, 'CONNECT a:80', request('a:80', { method: 'CONNECT' })],
  ] as const) {
    for (const bytes of requests) {
      const { status: seen, headers } = await exchange(port, bytes);
      assert.deepEqual([seen, asked], [status, wanted], bytes);
      const { 'x-a': own, 'content-length': length } = headers;
      if (status === 401) assert.deepEqual([own, length], ['a, b', '9']);
    }
  }
});

test('an onRequest that fails, or replies nonsense, is a 500 and one line', async (t) => {
  const { mock } = t.mock.method(console, 'error', () => {});
  const replies: Record<string, () => Reply> = {
    '/throws': () => { throw new Error('\x9b no'); },
    '/199': () => textReply(199, ''),
    '/600': () => textReply(600, ''),
    '/half': () => textReply(200.5, ''),
    '/false': () => false as unknown as Reply,
    '/array': () => textReply(200, 'x', { 'X-A': ['a', undefined as unknown as string] }),
    '/crlf': () => textReply(200, 'x', { 'X-A': 'a\r\nb: c' }),
    '/name': () => textReply(200, 'x', { 'X A': 'x' }),
    '/nobody': () => ({ ...textReply(200, ''), body: undefined as unknown as string }),
  };
  const stream = createStream(['one'], 5);
  const { port } = await startApp(t, stream, (_, path) => replies[path]?.());
  for (const path of Object.keys(replies)) {
    assert.equal((await exchange(port, request(path))).status, 500, path);
    assert.equal((await exchange(port, handshake(path))).status, 500, path);
  }
  assert.equal(mock.callCount(), 1);
  assert.match(`${mock.calls[0]?.arguments}`, /^A request failed: 'Error: \\x9B no at .*\.ts:/);
});

test('a reply waits for a body that nobody has read, for 2 s at most', async (t) => {
  const { clock, connect } = startInMemory(t, {}, async (request, path) => {
    if (path === '/') return undefined;
    for await (const chunk of request) {
      if (path === '/part') return textReply(200, `${chunk}`);
    }
    return textReply(204, '');
  });
  const post = (path: string, body: string) => connect(
    request(path, { 'Content-Length': '3', Connection: 'keep-alive', method: 'POST' }) + body);
  const slow = post('/', 'a');
  for (const [path, expected] of [
    ['/', / 405 .*\.\n$/s], ['/part', / 200 .*abc\n/s], ['/whole', / 204 (?!.*Content-Length)/s],
  ] as const) {
    const socket = post(path, 'abc');
    await until(() => expected.test(socket.received), `the response to ${path}`);
    assert.match(socket.received, /\r\nConnection: close\r\n/);
  }
  clock.advance(1999);
  assert.equal(slow.received, '');
  clock.advance(1);
  assert.match(slow.received, / 405 .*\r\nConnection: close\r\n/s);
});

test('frames that come while onRequest waits are read after it, in order', async (t) => {
  const seen: unknown[] = [];
  const begin: Stream['begin'] = (reader) =>
    void reader.on('message', ({ data }) => seen.push(data));
  const { connect } = startInMemory(t, { begin }, () => sleep(50, undefined));
  const socket = connect(`${handshake()}\x81\x81\0\0\0\0a\x81\x81\0\0\0\0b`);
  await sleep(10);
  for (const text of 'cd') socket.sendFrame(0x81, text);
  await until(() => seen.length === 4, 'the messages');
  assert.deepEqual(seen, ['a', 'b', 'c', 'd']);
});

test('shutting down asks onRequest no more, but sends what it answers', async (t) => {
  const go: ((reply?: Reply) => void)[] = [];
  const { clock, server, connect, close } = startInMemory(t, {}, () =>
    new Promise((resolve) => go.push(resolve)));
  await listen(server); // Only then does Node.js know which connections are idle.
  const idle = connect(request('/', { Connection: undefined }));
  const own = connect(request('/'));
  const left = [request('/'), handshake(), handshake('/', H2C)].map(connect);
  const late = connect('GET');
  await until(() => go.length === 5, 'all to be asked');
  go[0]?.();
  await until(() => idle.received.includes('</html>'), 'the page');
  const timers = clock.timers.length;
  void close();
  assert.deepEqual([idle.destroyed, clock.timers.length], [true, timers - 1]);
  late.push(request('/').slice(3));
  go[1]?.(textReply(200, 'mine'));
  for (const leave of go.slice(2)) leave();
  await until(() => / 200 .*mine\n$/s.test(own.received), 'its own response');
  const refusal = /^HTTP\/1\.1 503 .*\r\nConnection: close\r\n.*shutting down\.\n$/s;
  await until(() => [...left, late].every(({ received }) => refusal.test(received)), 'refusals');
  assert.equal(go.length, 5);
});

test('another server can host the app', async (t) => {
  const stream = createStream(['one', 'two'], 60_000);
  let left = 0;
  const app = createApp({ ...stream, begin(reader, ...rest) {
    stream.begin(reader, ...rest);
    reader.on('close', () => { left += 1; throw new Error('a bug'); });
  } }, { allowedOrigins: new Set() });
  const host = createServer((request, response) => {
    void app.handleRequest(request, response);
    if (request.method === 'POST') response.writeHead(504).end(); // It is quicker.
  }).on('upgrade', app.handleUpgrade);
  t.after(() => host.close());
  const url = `127.0.0.1:${await listen(host)}/dante/${SCRIPT}`;
  assert.equal((await fetch(`http://${url}`)).status, 200);
  assert.equal((await fetch(`http://${url}`, { method: 'POST', body: 'x' })).status, 504);
  const { messages, closed } = openReader(`ws://${url}/ws`);
  await until(() => messages.length === 1, 'the first message');
  await app.close();
  assert.equal(left, 1);
  assert.equal((await closed).code, 4001);
  assert.equal((await fetch(`http://${url}`)).status, 503);
});
