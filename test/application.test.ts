import './support/bounds.js';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp, SCRIPT, type OnRequest } from '../dist/app.js';
import type { Stream } from '../dist/reader.js';
import { textReply, type Reply } from '../dist/reply.js';
import { createStream, listen, startApp, startInMemory } from './support/app.js';
import { collect, connectTo, exchange, handshake, request } from './support/raw.js';
import { openReader } from './support/reader.js';
import { until } from './support/until.js';

const H2C = { Upgrade: 'h2c', Connection: 'Upgrade, HTTP2-Settings' };
/** Starts an app that asks `onRequest` first; both resolve with a whole response. */
async function start(t: TestContext, onRequest: OnRequest) {
  const app = await startApp(createStream(['one'], 5), onRequest);
  t.after(() => app.close());
  const get = (target: string, headers = {}, line = {}) =>
    exchange(app.port, request(target, headers, line));
  const upgrade = (target: string, changes = {}) => exchange(app.port, handshake(target, changes));
  return { ...app, get, upgrade };
}

test('onRequest is asked first, with the decoded path below the mount', async (t) => {
  const asked: string[] = [];
  const { port, get, upgrade } = await start(t, ({ method }, path) => {
    asked.push(`${method} ${path}`);
    if (/secret|[*:]/.test(path)) return textReply(401, 'Sign in.', { 'Set-Cookie': ['a', 'b'] });
    return undefined;
  });
  for (const [status, target, path] of [
    [200, '/', '/'], [200, `/x/${SCRIPT}`, '/'], [200, `/${SCRIPT}/client.js?x`, '/client.js'],
    [401, `/x/${SCRIPT}/secret`, '/secret'], [401, '/%73ecret%2ehtml', '/secret.html'],
    [401, '*', '*'], [404, '/missing', '/missing'],
  ] as const) {
    for (const ask of [get, (to: string) => upgrade(to, H2C)]) {
      const { status: seen, headers, body } = await ask(target);
      assert.deepEqual([seen, asked.pop()], [status, `GET ${path}`], target);
      if (status !== 401) continue;
      assert.deepEqual([headers['content-length'], body], ['9', 'Sign in.\n']);
      assert.equal(headers['x-content-type-options'], 'nosniff');
    }
  }
  assert.equal((await upgrade('/ws')).status, 101);
  assert.equal((await upgrade('/ws?secret')).status, 101);
  assert.equal((await upgrade('/secret')).status, 401);
  const head = await get('/secret', {}, { method: 'HEAD' });
  assert.deepEqual([head.status, head.headers['content-length'], head.body], [401, '9', '']);
  assert.equal((await get('a:80', {}, { method: 'CONNECT' })).status, 401);
  const { socket, received } = collect(connectTo(port));
  socket.end(handshake('/secret', H2C));
  await once(socket, 'close');
  assert.match(received(), /\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n/);
});

const BAD = { headers: {}, body: '' };
test('an onRequest that fails, or replies nonsense, is a 500 and one line', async (t) => {
  const { mock } = t.mock.method(console, 'error', () => {});
  const replies: Record<string, () => Reply | Promise<Reply>> = {
    '/throws': () => { throw new Error('\x9b no'); },
    '/rejects': () => Promise.reject(new Error('no')),
    '/99': () => ({ ...BAD, status: 99 }),
    '/600': () => ({ ...BAD, status: 600 }),
    '/half': () => ({ ...BAD, status: 200.5 }),
    '/false': () => false as unknown as Reply,
    '/array': () => textReply(200, 'x', { 'X-A': ['a', undefined as unknown as string] }),
    '/crlf': () => textReply(200, 'x', { 'X-A': 'a\r\nb: c' }),
    '/undefined': () => textReply(200, 'x', { 'X-A': undefined }),
    '/name': () => textReply(200, 'x', { 'X A': 'x' }),
    '/nobody': () => ({ ...BAD, status: 200, body: undefined as unknown as string }),
  };
  const { get, upgrade } = await start(t, (_, path) => replies[path]?.());
  for (const path of Object.keys(replies)) {
    assert.equal((await get(path)).status, 500, path);
    assert.equal((await upgrade(path)).status, 500, path);
  }
  assert.equal((await get('/')).status, 200);
  assert.equal(mock.callCount(), 1);
  assert.match(`${mock.calls[0]?.arguments}`, /^A request failed: 'Error: \\x9B no at .*\.ts:/);
});

test('a reply does not wait for a body that onRequest has read', async (t) => {
  const { port } = await start(t, async (request, path) => {
    for await (const chunk of request.iterator({ destroyOnReturn: path === '/destroy' })) {
      if (path !== '/whole') return textReply(200, `${chunk}`);
    }
    return textReply(204, '');
  });
  const startMs = performance.now();
  const post = (path: string) => exchange(port, request(path, {
    'Content-Length': '3', Connection: 'keep-alive',
  }, { method: 'POST' }) + 'abc');
  for (const [path, status, length] of [
    ['/whole', 204, undefined], ['/part', 200, '4'], ['/destroy', 200, '4'],
  ] as const) {
    const { status: seen, headers } = await post(path);
    assert.deepEqual([seen, headers['content-length'], headers['connection']],
      [status, length, 'close']);
  }
  assert.ok(performance.now() - startMs < 1500, 'none took 2 s');
});

test('the body of an upgrade is empty for onRequest before Node.js 26', async (t) => {
  const { port } = await start(t, async (request) => {
    let body = 'body:';
    for await (const chunk of request) body += chunk;
    return textReply(200, body);
  });
  const bytes = handshake('/', { ...H2C, 'Content-Length': '3' }) + 'abc';
  const body = Number.parseInt(process.versions.node) < 26 ? 'body:\n' : 'body:abc\n';
  assert.equal((await exchange(port, bytes)).body, body);
});

test('clients that leave while onRequest waits cost nothing', async (t) => {
  const { mock } = t.mock.method(console, 'error', () => {});
  let waiting: (() => void)[] = [];
  const { port, get } = await start(t, async (request, path) => {
    if (path === '/') return undefined;
    await new Promise<void>((resolve) => waiting.push(resolve));
    for await (const _ of request);
    if (path === '/fail') throw new Error('It cannot write.');
    return path === '/no' ? textReply(403, 'No.') : undefined;
  });
  const texts = ['/ws', '/no', '/style.css'].flatMap((path) => [
    handshake(path), handshake(path, H2C), request(path),
  ]).concat(request('/fail', { 'Content-Length': '3' }, { method: 'POST' }));
  for (const leave of ['end', 'resetAndDestroy', 'write'] as const) {
    const all = texts.map(() => collect(connectTo(port)).socket);
    await Promise.all(all.map((socket) => once(socket, 'connect')));
    all.forEach((socket, i) => socket.write(texts[i] ?? ''));
    await until(() => waiting.length === texts.length, 'all to wait');
    for (const socket of all) leave === 'write' ? socket.write('x'.repeat(9e4)) : socket[leave]();
    await sleep(50);
    for (const go of waiting.splice(0)) go();
    await sleep(50);
    for (const socket of all) socket.destroy();
  }
  assert.equal((await get('/')).status, 200);
  assert.deepEqual(mock.calls.map((call) => call.arguments), []);
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
  const { connect, close } = startInMemory(t, {}, () => new Promise((resolve) => go.push(resolve)));
  const [own, left, late] = [connect(request('/')), connect(handshake()), connect('')];
  await until(() => go.length === 2, 'both to be asked');
  void close();
  late.push(request('/'));
  go[0]?.(textReply(200, 'mine'));
  go[1]?.();
  await until(() => [own, left, late].every(({ received }) => received), 'the responses');
  assert.match(own.received, / 200 .*mine\n$/s);
  for (const { received } of [left, late]) assert.match(received, / 503 .*shutting down\.\n$/s);
  assert.equal(go.length, 2);
});

test('another server can host the app below its own paths', async (t) => {
  const app = createApp(createStream(['one', 'two'], 60_000), { allowedOrigins: new Set() });
  const isDante = (url = '') => url.startsWith('/dante/server');
  const host = createServer((request, response) => {
    if (isDante(request.url)) return app.handleRequest(request, response);
    if (!request.url?.startsWith('/dante')) return response.end('mine');
    return response.writeHead(302, { Location: '/dante/server-faye.js' }).end();
  });
  host.on('upgrade', (request, socket, head) => {
    if (isDante(request.url)) void app.handleUpgrade(request, socket, head);
    else socket.destroy();
  });
  t.after(() => host.close());
  const url = `127.0.0.1:${await listen(host)}`;
  for (const path of ['/dante', '/dante/', `/dante/${SCRIPT}`]) {
    assert.match(await (await fetch(`http://${url}${path}`)).text(), /<!doctype html>/i);
  }
  assert.equal(await (await fetch(`http://${url}/other`)).text(), 'mine');
  const reader = openReader(`ws://${url}/dante/${SCRIPT}/ws?from=1`);
  await until(() => reader.messages.length, 'a message');
  assert.deepEqual(reader.messages, ['two']);
  await app.close();
  assert.equal((await fetch(`http://${url}/dante/${SCRIPT}`)).status, 503);
});
